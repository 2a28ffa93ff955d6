"""Row 4: connections of the operator that stay open and carry nothing any more, on a real kube-apiserver and a real Temporal."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry
from temporalio.client import Client

from kraut_core.api.kinds import all_kinds
from kraut_core.kube.client import KubeClient
from kraut_core.kube.stream import StreamOptions
from kraut_core.kube.testing import FaultProxy, point_kubeconfig
from kraut_operator.cache import Cache
from kraut_operator.controller import Controller
from kraut_operator.dispatcher import Dispatcher
from kraut_operator.informers import Informer, make_informers, run_informers
from kraut_operator.metrics import OperatorMetrics
from kraut_operator.testing.cluster import create_host, wait_for_signals
from kraut_operator.testing.process import OperatorProcess

if TYPE_CHECKING:
    from kraut_lab.controlplane import ControlPlane


@asynccontextmanager
async def operating(
    kube: KubeClient, temporal: Client, home: str, options: StreamOptions
) -> AsyncIterator[list[Informer]]:
    """The operator's parts with other deadlines than its own, which no setting changes."""
    kinds, metrics = all_kinds(), OperatorMetrics(CollectorRegistry())
    cache = Cache(kinds)
    controller = Controller(kinds, cache, metrics)
    informers = make_informers(kube, kinds, namespaces=[home], metrics=metrics, options=options)
    dispatcher = Dispatcher(controller, temporal, metrics, home=home, concurrency=4, rate=100)
    tasks = [asyncio.create_task(part) for part in (run_informers(informers, cache, controller), dispatcher.run())]
    try:
        yield informers
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.integration
@pytest.mark.fault(row=4, fault="half-open watch", invariants=("I1",))
async def test_an_operator_whose_watches_fell_silent_watches_anew(
    kube: KubeClient, temporal: Client, home: str, control_plane: "ControlPlane", tmp_path: Path
) -> None:
    async with FaultProxy.open(control_plane.url) as proxy:
        kubeconfig = point_kubeconfig(control_plane.kubeconfig("operator"), proxy.url, tmp_path / "kubeconfig")
        async with (
            KubeClient.connect(str(kubeconfig)) as client,
            operating(client, temporal, home, StreamOptions(idle_seconds=2)) as informers,
        ):
            async with asyncio.timeout(250):
                while not all(informer.stream.synced for informer in informers):
                    await asyncio.sleep(0.05)
            before = [informer.stream.restarts for informer in informers]
            proxy.blackhole()
            await create_host(kube, home, "h")
            await wait_for_signals(temporal, home, "Host", home, "h", "Initial", repeats=True)
            async with asyncio.timeout(250):
                while any(each.stream.restarts == was for each, was in zip(informers, before, strict=True)):
                    await asyncio.sleep(0.05)


@pytest.mark.sweep
@pytest.mark.fault(row=4, fault="half-open watch", invariants=("I1",))
async def test_an_operator_whose_watches_fell_silent_notices_by_its_own_deadline(
    kube: KubeClient,
    temporal: Client,
    home: str,
    settings: dict[str, str],
    control_plane: "ControlPlane",
    tmp_path: Path,
) -> None:
    """The process as it is shipped: each of its watches says after 70 s that nothing came, and what changed meanwhile is told."""
    async with FaultProxy.open(control_plane.url) as proxy:
        kubeconfig = point_kubeconfig(control_plane.kubeconfig("operator"), proxy.url, tmp_path / "kubeconfig")
        running = OperatorProcess.running({**settings, "KRAUT_KUBE_KUBECONFIG": str(kubeconfig)}, tmp_path / "log")
        async with running as operator:
            await operator.ready()
            proxy.blackhole()
            await create_host(kube, home, "h")
            kinds = 4
            await operator.until(lambda: len(operator.logged("watch failed")) >= kinds, "notices", seconds=150)
            failed = operator.logged("watch failed")
            assert all("nothing came for 70 s" in found["error"] for found in failed)
            await wait_for_signals(temporal, home, "Host", home, "h", "Initial", repeats=True)
            await operator.ready()
