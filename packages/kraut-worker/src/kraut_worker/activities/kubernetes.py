"""The activities that need nothing but the home cluster's API."""

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta

import structlog
from temporalio import activity
from temporalio.client import Client

from kraut_core.api.conditions import READY, STALLED, Verdict, set_conditions
from kraut_core.api.kinds import kind_named
from kraut_core.api.v1alpha1.host import UP_TO_DATE, Host, HostStatus
from kraut_core.contracts.reconcile import ReconcileRequest
from kraut_core.errors import ConflictError, InvalidSpecError, NotFoundError
from kraut_core.kube.client import KubeClient
from kraut_core.temporal.wake import wake_workflow
from kraut_worker.activities.heartbeat import heartbeating
from kraut_worker.messages import AssessInput, SweepInput, SweepReport
from kraut_worker.planning import verdicts

log = structlog.get_logger(__name__)


class KubernetesActivitiesAtHome:
    """Implements ``kraut_worker.workflows.activities.KubernetesActivities``."""

    def __init__(self, kube: KubeClient, temporal: Client) -> None:
        self._kube = kube
        self._temporal = temporal

    @activity.defn(name="report_unserved_site")
    async def report_unserved_site(self, question: AssessInput) -> str:
        """Say in the Host's status that no worker serves its site; returns the site it names now, empty when it is gone."""
        try:
            host = await self._kube.get(Host, question.host.namespace, question.host.name)
        except (NotFoundError, InvalidSpecError):
            return ""
        if host.spec.site == question.site and host.metadata.deletion_timestamp is None:
            status = unserved_status(host, datetime.now(UTC))
            if status != host.status:
                await self._write(host, status)
        return host.spec.site

    async def _write(self, host: Host, status: HostStatus) -> None:
        try:
            await self._kube.replace_status(Host, host.model_copy(update={"status": status}))
        except ConflictError:
            log.info("host changed meanwhile", host=host.metadata.name, namespace=host.metadata.namespace)

    @activity.defn(name="sweep")
    async def sweep(self, sweep: SweepInput) -> SweepReport:
        """Wake every object of a kind, each at its own moment of the spread so that hosts are not all asked at once."""
        async with heartbeating():
            objects = [
                (spread(item.metadata.uid, sweep.spread_seconds), item)
                async for item in self._kube.list(kind_named(sweep.kind), on_invalid=lambda _: None)
            ]
            began = asyncio.get_running_loop().time()
            for moment, item in sorted(objects, key=lambda pair: pair[0]):
                await asyncio.sleep(max(0.0, began + moment - asyncio.get_running_loop().time()))
                metadata = item.metadata
                await wake_workflow(
                    self._temporal,
                    home=sweep.home,
                    kind=sweep.kind,
                    namespace=metadata.namespace,
                    name=metadata.name,
                    request=ReconcileRequest(uid=metadata.uid, generation=metadata.generation, reason="Sweep"),
                    rpc_timeout=timedelta(seconds=10),
                )
        return SweepReport(woken=len(objects))


def spread(uid: str, seconds: float) -> float:
    """The moment of an object within the spread: always the same for the same uid."""
    digest = int.from_bytes(hashlib.sha256(uid.encode()).digest()[:8], "big")
    return seconds * digest / 2**64


def unserved_status(host: Host, now: datetime) -> HostStatus:
    """The status of a host that no worker can reach (pure)."""
    before = host.status or HostStatus()
    message = f"no worker serves site {host.spec.site}: start one with KRAUT_WORKER_SITES={host.spec.site}, or correct spec.site"
    found = [
        Verdict(READY, "Unknown", verdicts.SITE_NOT_SERVED, message),
        Verdict(STALLED, "True", verdicts.SITE_NOT_SERVED, message),
        Verdict(UP_TO_DATE, "Unknown", verdicts.NOT_OBSERVED, "the host cannot be asked"),
    ]
    generation = host.metadata.generation
    return before.model_copy(
        update={
            "observed_generation": generation,
            "conditions": set_conditions(before.conditions, found, generation=generation, now=now),
        }
    )
