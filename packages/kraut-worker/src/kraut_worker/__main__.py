"""kraut-worker: the composition root."""

import asyncio
import os
import signal
import socket
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version

import structlog
from pydantic import ValidationError
from temporalio.client import Client
from temporalio.worker import Worker
from temporalio.workflow import NondeterminismError

from kraut_core.api.v1alpha1.host import Host
from kraut_core.contracts.reconcile import (
    ReconcileRequest,
    kubernetes_queue,
    operations_queue,
    ssh_queue,
    workflow_queue,
)
from kraut_core.errors import KrautError
from kraut_core.identity.issuers import parse_networks
from kraut_core.kube.client import KubeClient
from kraut_core.logs import configure_logs
from kraut_core.metrics import new_registry
from kraut_core.probes import Probes
from kraut_core.settings import load_settings
from kraut_core.temporal.connection import connect
from kraut_core.temporal.wake import wake_workflow
from kraut_worker.activities.assess import HostAssessor
from kraut_worker.activities.clusters import ClusterActivitiesAtHome
from kraut_worker.activities.hosts import HostActivitiesOnSite
from kraut_worker.activities.kubernetes import KubernetesActivitiesAtHome
from kraut_worker.activities.operate import HostOperator
from kraut_worker.adapters.kube import Accesses, HttpsClusterProber
from kraut_worker.adapters.ssh import SshConnector
from kraut_worker.instruments import WorkerInstruments
from kraut_worker.metrics import WorkerMetrics
from kraut_worker.ports import HostConnector
from kraut_worker.schedules import ensure_sweeps
from kraut_worker.settings import WorkerProcessSettings
from kraut_worker.workflows.registry import WORKFLOWS

log = structlog.get_logger("kraut_worker")

NO_INSTRUMENTS = WorkerInstruments()

BEGUN_AFRESH = (NondeterminismError, ValidationError)
"""What ends a workflow run instead of being tried for ever: a run of another release, whose history or messages this one
does not understand, as after a rollback. Every pass starts from what is, so that nothing is lost: the next signal, at the
latest that of a sweep, begins the run afresh and finds the operation that is under way."""


def main() -> None:
    """Run until SIGTERM or SIGINT; exit 1 when a part fails for good, so that the supervisor starts a fresh process."""
    if {"--version", "--help", "-h"} & set(sys.argv[1:]):
        sys.stdout.write(
            f"kraut-worker {version('kraut-worker')}: settings are KRAUT_ variables, see docs/reference/settings.md\n"
        )
        return
    try:
        settings = load_settings(WorkerProcessSettings)
        configure_logs(settings.log, component="kraut-worker")
        asyncio.run(run(settings))
    except KrautError as error:
        sys.stderr.write(f"kraut-worker: {error}\n")
        sys.exit(1)


async def run(settings: WorkerProcessSettings, instruments: WorkerInstruments = NO_INSTRUMENTS) -> None:
    """Connect, start the workers of all roles and wait for a signal or the first failure."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    registry = new_registry(component="kraut-worker", version=version("kraut-worker"))
    instance = f"{socket.gethostname()}-{os.getpid()}"
    async with AsyncExitStack() as stack:
        probes = await stack.enter_async_context(Probes(settings.probe, registry))
        polling = asyncio.Event()
        probes.add_readiness("temporal", lambda: None if polling.is_set() else "not polling task queues yet")
        kube = await stack.enter_async_context(
            KubeClient.connect(
                str(settings.kube.kubeconfig) if settings.kube.kubeconfig else None,
                settings.kube.context,
                user_agent=f"kraut-worker/{version('kraut-worker')}",
            )
        )
        kube = instruments.kube(kube)
        home = settings.home.id or await kube.cluster_uid()
        temporal = await connect(
            settings.temporal, identity=f"kraut-worker@{instance}", interceptors=instruments.temporal
        )
        connector = instruments.hosts(await stack.enter_async_context(SshConnector(settings.ssh)))
        workers = make_workers(settings, Outside(home, kube, temporal, connector, instance, WorkerMetrics(registry)))
        if "kubernetes" in settings.worker.roles:
            await ensure_sweeps(temporal, home, timedelta(seconds=settings.worker.sweep_interval_seconds))
        log.info("started", home=home, roles=settings.worker.roles, sites=settings.worker.sites)
        await _run_until(stopping, workers, polling)
    log.info("stopped")


async def _run_until(stopping: asyncio.Event, workers: list[Worker], polling: asyncio.Event) -> None:
    """A worker that fails ends the process: an in-process rebuild can park idle (temporalio/sdk-python#631)."""
    runs = [asyncio.create_task(worker.run()) for worker in workers]
    polling.set()
    stop = asyncio.create_task(stopping.wait())
    done, _ = await asyncio.wait([*runs, stop], return_when=asyncio.FIRST_COMPLETED)
    polling.clear()
    await asyncio.gather(*(worker.shutdown() for worker in workers))
    await asyncio.gather(*runs, return_exceptions=True)
    stop.cancel()
    for task in done - {stop}:
        task.result()


@dataclass(frozen=True, slots=True)
class Outside:
    """What this process is connected to, and its own name there."""

    home: str
    kube: KubeClient
    temporal: Client
    connector: HostConnector
    instance: str
    metrics: WorkerMetrics


def make_workers(settings: WorkerProcessSettings, outside: Outside) -> list[Worker]:
    """One Worker per task queue of the roles and sites that the settings name."""
    home, temporal = outside.home, outside.temporal
    grace = timedelta(seconds=settings.worker.shutdown_seconds)
    roles = settings.worker.roles.split(",")
    workers: list[Worker] = []
    if "workflows" in roles:
        workers.append(
            Worker(
                temporal,
                task_queue=workflow_queue(home),
                workflows=WORKFLOWS,
                workflow_failure_exception_types=BEGUN_AFRESH,
                graceful_shutdown_timeout=grace,
            )
        )
    if "kubernetes" in roles:
        at_home = KubernetesActivitiesAtHome(outside.kube, temporal, instance=outside.instance)
        clusters = _on_clusters(settings, outside)
        workers.append(
            Worker(
                temporal,
                task_queue=kubernetes_queue(home),
                activities=[at_home.report_unserved_site, at_home.sweep, clusters.assess],
                graceful_shutdown_timeout=grace,
            )
        )
    if "ssh" in roles:
        on_site = _on_site(settings, outside)
        workers += [
            Worker(
                temporal,
                task_queue=queue(home, site),
                activities=[activity],
                max_concurrent_activities=settings.worker.max_hosts,
                graceful_shutdown_timeout=grace,
            )
            for site in settings.worker.sites.split(",")
            for queue, activity in ((ssh_queue, on_site.assess), (operations_queue, on_site.run_operation))
        ]
    return workers


def _on_clusters(settings: WorkerProcessSettings, outside: Outside) -> ClusterActivitiesAtHome:
    networks = parse_networks(name for name in settings.worker.provider_networks.split(",") if name)
    prober = HttpsClusterProber(Accesses(outside.kube, networks=networks))
    return ClusterActivitiesAtHome(outside.kube, prober, outside.metrics, instance=outside.instance)


def _on_site(settings: WorkerProcessSettings, outside: Outside) -> HostActivitiesOnSite:
    async def wake(host: Host) -> None:
        metadata = host.metadata
        await wake_workflow(
            outside.temporal,
            home=outside.home,
            kind=host.kind,
            namespace=metadata.namespace,
            name=metadata.name,
            request=ReconcileRequest(uid=metadata.uid, generation=metadata.generation, reason="Budget"),
            site=host.spec.site,
        )

    assessor = HostAssessor(
        outside.kube,
        outside.connector,
        wake,
        instance=outside.instance,
        package_list_max_age=timedelta(seconds=settings.worker.package_list_max_age_seconds),
    )
    return HostActivitiesOnSite(assessor, HostOperator(outside.kube, outside.connector), outside.metrics)


if __name__ == "__main__":
    main()
