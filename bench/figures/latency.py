"""From the commit of a change to the acknowledged signal, at a given rate of changes, against client-go and the Go SDK."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bench import objects
from bench.figure import Aim, Figure
from bench.peers.build import go_program
from bench.sample import Sample, Samples, interleave, percentile
from bench.stage import Stage
from bench.subject import Subject, start_operator
from kraut_core.api.v1alpha1.host import Host
from kraut_core.kube import paths
from kraut_core.kube.client import KubeClient, as_kind

KRAUT = "kraut-operator"
GO = "client-go + Go SDK"
NAMESPACE = "latency"
LOADS = {10: 0.2, 30: 0.6}
"""Changes per second, and the share of the Hosts that are changed at this rate."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change of one Host: when it was due, and when the API server had answered that it is committed (ns)."""

    name: str
    generation: int
    due_ns: int
    committed_ns: int


def measure(stage: Stage) -> Samples:
    """Both sides see the same Hosts change; each round begins with all of them answered."""
    stage.say(f"making {stage.sizes.size} Hosts")
    asyncio.run(_prepare(stage))
    stage.notes.append(
        "30 per second and not 100: Temporal's development server takes about 100 at most, and would be all that is measured"
    )
    stage.notes.append("open loop: a change is sent when it is due, whether or not earlier ones were acknowledged")
    contenders = {KRAUT: partial(_run, stage, _start_kraut), GO: partial(_run, stage, _start_go)}
    return interleave(contenders, stage.sizes.rounds)


async def _prepare(stage: Stage) -> None:
    async with objects.connect(stage.plane) as kube:
        await objects.populate(kube, NAMESPACE, range(stage.sizes.size))


def _start_kraut(stage: Stage, number: int) -> Subject:
    return start_operator(stage.operator_settings(NAMESPACE, f"latency-kraut-{number}"))


def _start_go(stage: Stage, number: int) -> Subject:
    flags = {
        "kubeconfig": stage.plane.kubeconfig("operator"),
        "namespace": NAMESPACE,
        "temporal": stage.temporal.address,
        "home": f"latency-go-{number}",
    }
    return Subject([go_program("signals"), *(f"-{name}={value}" for name, value in flags.items())], {})


def _run(stage: Stage, start: Callable[[Stage, int], Subject], number: int) -> Sample:
    found: dict[str, float] = {}
    for rate, share in LOADS.items():
        count = max(1, round(stage.sizes.size * share))
        asyncio.run(_answer(stage, count))
        with start(stage, number * len(LOADS) + sorted(LOADS).index(rate)) as subject:
            subject.wait_ready()
            changes = asyncio.run(_change(stage, count, rate))
            _wait_for(subject, changes)
            latencies = _latencies(subject, changes)
        found[f"p50_{rate}_ms"] = percentile(latencies, 0.5)
        found[f"p99_{rate}_ms"] = percentile(latencies, 0.99)
    return found


async def _answer(stage: Stage, count: int) -> None:
    async with objects.connect(stage.plane) as kube:
        await objects.answer_all(kube, NAMESPACE, range(count))


async def _change(stage: Stage, count: int, rate: int) -> list[Change]:
    async with objects.connect(stage.plane) as kube, asyncio.TaskGroup() as group:
        await kube.get(Host, NAMESPACE, "h0")
        began = time.time_ns()
        due = [began + number * 1_000_000_000 // rate for number in range(count)]
        tasks = []
        for number, moment in enumerate(due):
            await asyncio.sleep(max(0, (moment - time.time_ns()) / 1e9))
            tasks.append(group.create_task(_change_one(kube, number, moment)))
    return [task.result() for task in tasks]


async def _change_one(kube: KubeClient, number: int, due_ns: int) -> Change:
    path = paths.item(as_kind(Host), NAMESPACE, f"h{number}")
    changed = await kube.patch_raw(path, {"spec": {"port": objects.another_port()}})
    return Change(f"h{number}", changed["metadata"]["generation"], due_ns, time.time_ns())


def _wait_for(subject: Subject, changes: list[Change]) -> None:
    wanted = {(change.name, change.generation) for change in changes}
    subject.wait(
        lambda: wanted <= {(ack.name, ack.generation) for ack in subject.acks},
        "every change was signalled",
        interval=0.2,
    )


def _latencies(subject: Subject, changes: list[Change]) -> list[float]:
    """Milliseconds from the answer of the API server to the acknowledgement, 0 where the watch was faster than the answer."""
    first: dict[tuple[str, int], int] = {}
    for ack in subject.acks:
        first.setdefault((ack.name, ack.generation), ack.at_ns)
    return [max(0, first[change.name, change.generation] - change.committed_ns) / 1e6 for change in changes]


FIGURE = Figure(
    title="From the commit of a change to the acknowledged signal, at 10 and 30 changes per second",
    size=500,
    size_of="Hosts, each changed once per round",
    measure=measure,
    aims=(Aim(KRAUT, "p99_10_ms", 1.2, GO), Aim(KRAUT, "p99_30_ms", 1.2, GO)),
)
