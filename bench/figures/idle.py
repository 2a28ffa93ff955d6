"""What operator and worker cost when nothing happens."""

import asyncio
import time

from bench import objects
from bench.figure import Aim, Figure
from bench.sample import Sample, Samples
from bench.stage import Stage
from bench.usage import cpu_seconds, memory_mib
from kraut_lab.components import Component

HOME = "idle"
OPERATOR, WORKER = "kraut-operator", "kraut-worker"
WINDOW_SECONDS = 12.0
SETTLE_SECONDS = 10.0


def measure(stage: Stage) -> Samples:
    """Each round is a window of the same two processes."""
    stage.say(f"making {stage.sizes.size} Hosts")
    asyncio.run(_prepare(stage))
    stage.notes.append(f"a round is {WINDOW_SECONDS:.0f} s; no sweep falls into it (15 min apart by default)")
    components = {name: stage.component(name.removeprefix("kraut-"), HOME) for name in (OPERATOR, WORKER)}
    try:
        for component in components.values():
            component.start(env=stage.component_settings(HOME))
        time.sleep(SETTLE_SECONDS)
        found: Samples = {name: [] for name in components}
        for _ in range(stage.sizes.rounds):
            for name, sample in _watch({name: _pid(component) for name, component in components.items()}).items():
                found[name].append(sample)
        return found
    finally:
        for component in components.values():
            component.stop(grace=0)


async def _prepare(stage: Stage) -> None:
    async with objects.connect(stage.plane) as kube:
        await objects.populate(kube, HOME, range(stage.sizes.size))


def _pid(component: Component) -> int:
    if component.pid is None:
        raise ChildProcessError(f"{component.name} ended: {component.daemon.log_tail()}")
    return component.pid


def _watch(pids: dict[str, int]) -> dict[str, Sample]:
    before = {name: cpu_seconds(pid) for name, pid in pids.items()}
    began = time.monotonic()
    time.sleep(WINDOW_SECONDS)
    passed = time.monotonic() - began
    return {
        name: {
            "cpu_percent": 100 * (cpu_seconds(pid) - before[name]) / passed,
            "resident_mib": memory_mib(pid, "VmRSS"),
        }
        for name, pid in pids.items()
    }


FIGURE = Figure(
    title="Idle: processor time of one core and memory with 1,000 answered Hosts",
    size=1_000,
    size_of="Hosts",
    measure=measure,
    aims=(
        Aim(OPERATOR, "cpu_percent", 2.0),
        Aim(OPERATOR, "resident_mib", 143.0),
        Aim(WORKER, "cpu_percent", 2.0),
        Aim(WORKER, "resident_mib", 143.0),
    ),
)
