"""What the control components cost when nobody wants anything: they watch, look at every Host from time to time, publish keys."""

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from bench import objects
from bench.farm import Farm, farm, make_hosts, wait_looked_at
from bench.figure import Aim, Figure
from bench.sample import Sample, Samples
from bench.stage import Stage
from bench.subject import Subject, python, read_metric
from bench.usage import cpu_seconds, memory_mib
from kraut_lab.components import Component
from kraut_lab.controlplane.kubeconfig import write_token_kubeconfig
from kraut_lab.ports import choose_ports

HOME = "idle"
OPERATOR, WORKER, PROXY = "kraut-operator", "kraut-worker", "kraut-oidc-proxy"
DEFAULT_SWEEP_SECONDS = 900
HOSTS_PER_SECOND = 6
"""The pace of the measured sweep: six times that of 1,000 Hosts by default, and within what Temporal's development server does."""
SHORTEST_SWEEP_SECONDS = 20
WINDOW_SECONDS = 12.0
SETTLE_SECONDS = 30.0


def measure(stage: Stage) -> Samples:
    """Each round is a quiet window and a whole sweep over all Hosts, of the same processes."""
    interval = max(SHORTEST_SWEEP_SECONDS, stage.sizes.size // HOSTS_PER_SECOND)
    stage.notes.append(
        f"a round is {WINDOW_SECONDS:.0f} s without a sweep and then a whole sweep over SSH servers that answer from recordings, every "
        f"{interval} s and not every {DEFAULT_SWEEP_SECONDS}: cpu is quiet cpu, and what the sweep needs beyond it spread over "
        f"{DEFAULT_SWEEP_SECONDS} s; resident is after the sweep, with a connection kept to every Host; the keys are polled as by default"
    )
    with tempfile.TemporaryDirectory(prefix="kraut-bench-") as folder, ExitStack() as stack:
        servers = stack.enter_context(farm(Path(folder), stage.sizes.size))
        proxy = stack.enter_context(_publishing(stage, Path(folder)))
        components = {name: stage.component(name.removeprefix("kraut-"), HOME) for name in (OPERATOR, WORKER)}
        for component in components.values():
            stack.callback(component.stop, grace=0)
            component.start(env=stage.component_settings(HOME))
        stage.say(f"making {stage.sizes.size} Hosts and looking at them for the first time")
        asyncio.run(_prepare(stage, servers))
        found: Samples = {name: [] for name in (*components, PROXY)}
        for _ in range(stage.sizes.rounds):
            for name, sample in _round(stage, components, proxy, interval).items():
                found[name].append(sample)
        return found


async def _prepare(stage: Stage, servers: Farm) -> None:
    async with objects.connect(stage.plane) as kube:
        await make_hosts(kube, HOME, servers)
        await wait_looked_at(kube, HOME, patience=300 + stage.sizes.size)


@contextmanager
def _publishing(stage: Stage, folder: Path) -> Iterator[Subject]:
    kubeconfig = folder / "oidc-proxy.kubeconfig"
    identity = {"user": "proxy", "token": stage.plane.token("oidc-proxy"), "namespace": "kraut-system"}
    write_token_kubeconfig(kubeconfig, server=stage.plane.url, ca=stage.plane.ca, **identity)
    port, probe = choose_ports(2)
    settings = {
        "KRAUT_OIDC_ISSUER": stage.plane.url,
        "KRAUT_OIDC_HOST": "127.0.0.1",
        "KRAUT_OIDC_PORT": str(port),
        "KRAUT_PROBE_HOST": "127.0.0.1",
        "KRAUT_PROBE_PORT": str(probe),
        "KRAUT_KUBE_KUBECONFIG": str(kubeconfig),
    }
    with Subject(python("kraut_oidc_proxy"), settings, probe_port=probe) as proxy:
        proxy.wait_ready()
        yield proxy


def _round(stage: Stage, components: Mapping[str, Component], proxy: Subject, interval: int) -> dict[str, Sample]:
    _restart(stage, components[WORKER], {})
    quiet = _quiet(_pids(components, proxy), components[WORKER])
    _restart(stage, components[WORKER], {"KRAUT_WORKER_SWEEP_INTERVAL_SECONDS": str(interval)})
    pids = _pids(components, proxy)
    looks: list[float] = []
    sweeping = _spent(pids, lambda: looks.append(_sweep(components[WORKER], stage.sizes.size, interval)))
    sweeps = looks[0] / stage.sizes.size
    return {
        name: {**_sample(quiet[name], sweeping[name], sweeps), "resident_mib": memory_mib(pid, "VmRSS")}
        for name, pid in pids.items()
    }


def _restart(stage: Stage, worker: Component, more: dict[str, str]) -> None:
    worker.stop()
    worker.start(env=stage.component_settings(HOME) | more)
    time.sleep(SETTLE_SECONDS)


def _pids(components: Mapping[str, Component], proxy: Subject) -> dict[str, int]:
    pids = {PROXY: proxy.process.pid}
    for name, component in components.items():
        if component.pid is None:
            raise ChildProcessError(f"{component.name} ended: {component.daemon.log_tail()}")
        pids[name] = component.pid
    return pids


def _sweep(worker: Component, size: int, interval: int) -> float:
    """Wait until as many looks were taken as there are Hosts, and the interval is over; returns how many were."""
    began, before = time.monotonic(), _looks(worker)
    while (looks := _looks(worker) - before) < size or time.monotonic() - began < interval:
        if time.monotonic() - began > 5 * interval + 300:
            raise TimeoutError(f"expected a look at each of {size} Hosts within {interval} s, found {looks:.0f} looks")
        # Each scrape costs the worker milliseconds too, that are not of the sweep.
        time.sleep(5)
    return looks


def _quiet(pids: dict[str, int], worker: Component) -> dict[str, tuple[float, float]]:
    """What is spent in a window without a look: the sweep of the round before may have been followed by another."""
    deadline = time.monotonic() + 900
    while True:
        before = _looks(worker)
        spent = _spent(pids, lambda: time.sleep(WINDOW_SECONDS))
        if (looks := _looks(worker)) == before:
            return spent
        if time.monotonic() > deadline:
            raise TimeoutError(
                f"expected no looks without a sweep, found {looks - before:.0f} in {WINDOW_SECONDS:.0f} s"
            )


def _looks(worker: Component) -> float:
    with suppress(KeyError):
        return read_metric(f"{worker.probe_url}/metrics", "controller_runtime_reconcile_total")
    return 0.0


def _spent(pids: dict[str, int], wait: Callable[[], None]) -> dict[str, tuple[float, float]]:
    """Seconds of the clock and of the processor while waiting, by process."""
    before = {name: cpu_seconds(pid) for name, pid in pids.items()}
    began = time.monotonic()
    wait()
    passed = time.monotonic() - began
    return {name: (passed, cpu_seconds(pid) - before[name]) for name, pid in pids.items()}


def _sample(quiet: tuple[float, float], sweeping: tuple[float, float], sweeps: float) -> Sample:
    rest = quiet[1] / quiet[0]
    of_a_sweep = max(0.0, sweeping[1] - rest * sweeping[0]) / sweeps
    return {
        "cpu_percent": 100 * (rest + of_a_sweep / DEFAULT_SWEEP_SECONDS),
        "quiet_cpu_percent": 100 * rest,
        "sweep_cpu_s": of_a_sweep,
    }


FIGURE = Figure(
    title="Idle: processor time of one core and memory with 1,000 Hosts that are looked at every 15 minutes",
    size=1_000,
    size_of="Hosts",
    measure=measure,
    aims=tuple(
        aim
        for name in (OPERATOR, WORKER, PROXY)
        for aim in (Aim(name, "cpu_percent", 2.0), Aim(name, "resident_mib", 143.0))
    ),
    rounds=3,
)
