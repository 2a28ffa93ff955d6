"""The activities that need nothing but the home cluster's API."""

import asyncio
import hashlib
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any

import structlog
from temporalio import activity
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from kraut_core.api.conditions import READY, STALLED, Verdict, set_conditions
from kraut_core.api.kinds import Kind, kind_named
from kraut_core.api.meta import Resource
from kraut_core.api.v1alpha1.host import UP_TO_DATE, Host, HostStatus
from kraut_core.contracts.reconcile import ReconcileRequest, ssh_queue
from kraut_core.errors import ConflictError, InvalidSpecError, NotFoundError
from kraut_core.kube.client import KubeClient
from kraut_core.temporal.wake import wake_workflow
from kraut_worker.activities.cleanup import let_go, let_unreadable_go
from kraut_worker.activities.heartbeat import heartbeating
from kraut_worker.messages import AssessInput, SweepInput, SweepReport
from kraut_worker.planning import verdicts
from kraut_worker.planning.scene import Problem

log = structlog.get_logger(__name__)

POLL_SECONDS = 90.0
"""A worker asks for work at least once a minute (a long poll lasts that long)."""

LATE_SECONDS = 5.0
"""A sweep that is later than this does not catch up."""

REFUSAL = RPCStatusCode.INVALID_ARGUMENT
"""Temporal's answer for a workflow that took too many signals: it says nothing of the next one. NOT_FOUND, of the namespace, does."""


class KubernetesActivitiesAtHome:
    """Implements ``kraut_worker.workflows.activities.KubernetesActivities``."""

    def __init__(self, kube: KubeClient, temporal: Client, *, instance: str) -> None:
        self._kube = kube
        self._temporal = temporal
        self._instance = instance

    @activity.defn(name="report_unserved_site")
    async def report_unserved_site(self, question: AssessInput) -> str:
        """Say in the Host's status that no worker serves its site; returns the site it names now, empty when it is gone."""
        try:
            host = await self._kube.get(Host, question.host.namespace, question.host.name)
        except NotFoundError:
            return ""
        except InvalidSpecError:
            await self._let_unreadable_go(question)
            return ""
        if host.spec.site != question.site or await self._is_served(question):
            return host.spec.site
        try:
            return await self._report(host)
        except ConflictError:
            log.info("host changed meanwhile", host=host.metadata.name, namespace=host.metadata.namespace)
            return host.spec.site

    async def _let_unreadable_go(self, question: AssessInput) -> None:
        name = question.host
        with suppress(NotFoundError):
            await let_unreadable_go(self._kube, name.namespace, name.name, instance=self._instance)

    async def _report(self, host: Host) -> str:
        status = unserved_status(host, self._kube.now())
        if host.metadata.deletion_timestamp is not None:
            problem = Problem(verdicts.SITE_NOT_SERVED, f"no worker serves site {host.spec.site}", permanent=True)
            await let_go(self._kube, host, problem, instance=self._instance)
            return ""
        if status != host.status:
            await self._kube.replace_status(Host, host.model_copy(update={"status": status}))
        return host.spec.site

    async def _is_served(self, question: AssessInput) -> bool:
        """Whether a worker asked for work of that site lately: then it is only busy, and that is no trouble of the host's."""
        queue = TaskQueue(name=ssh_queue(question.host.home, question.site))
        answer = await self._temporal.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=self._temporal.namespace,
                task_queue=queue,
                task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
            )
        )
        newest = max((poller.last_access_time.ToSeconds() for poller in answer.pollers), default=0)
        return datetime.now(UTC).timestamp() - newest < POLL_SECONDS

    @activity.defn(name="sweep")
    async def sweep(self, sweep: SweepInput) -> SweepReport:
        """Wake every object of a kind, each at its own moment of the spread so that hosts are not all asked at once."""
        kind = kind_named(sweep.kind)
        since, cursor = _resumed()
        refused = 0
        async with heartbeating(lambda: (since, cursor)):
            # Of each object only what its wake needs: there may be many thousands of them.
            wakes = [
                _wake_of(item, kind, sweep.spread_seconds)
                async for item in self._kube.list(kind, on_invalid=lambda _: None)
            ]
            for wake in sorted(wakes, key=lambda wake: wake.moment):
                if wake.moment <= cursor:
                    continue
                await asyncio.sleep(max(0.0, since + wake.moment - time.time()))
                late = time.time() - since - wake.moment
                if late > LATE_SECONDS:
                    # It stood still, or the clock was set: the rest keep their distances, or all hosts were asked at once.
                    since += late
                refused += not await self._wake(sweep, wake)
                cursor = wake.moment
        return SweepReport(woken=len(wakes) - refused, refused=refused)

    async def _wake(self, sweep: SweepInput, wake: "Wake") -> bool:
        """False when Temporal refuses this one for good: the objects after it are woken all the same."""
        try:
            await wake_workflow(
                self._temporal,
                home=sweep.home,
                kind=sweep.kind,
                namespace=wake.namespace,
                name=wake.name,
                request=wake.request,
                site=wake.site,
                rpc_timeout=timedelta(seconds=10),
            )
        except RPCError as error:
            if error.status != REFUSAL:
                raise
            log.warning(
                "workflow not woken", kind=sweep.kind, namespace=wake.namespace, name=wake.name, error=error.message
            )
            return False
        return True


@dataclass(frozen=True, slots=True)
class Wake:
    """One object's turn in a sweep; ``moment`` in seconds since its beginning."""

    moment: float
    namespace: str
    name: str
    site: str
    request: ReconcileRequest


def _wake_of(item: Resource[Any, Any], kind: Kind, seconds: float) -> Wake:
    metadata = item.metadata
    request = ReconcileRequest(uid=metadata.uid, generation=metadata.generation, reason="Sweep")
    site = reduce(getattr, kind.site_path, item) if kind.site_path else ""
    return Wake(spread(metadata.uid, seconds), metadata.namespace, metadata.name, str(site), request)


def _resumed() -> tuple[float, float]:
    """When the sweep began (Unix seconds) and the moment of its last wake, as the attempt before this one left them."""
    details = activity.info().heartbeat_details
    since, cursor = details[0] if details else (time.time(), -1.0)
    return float(since), float(cursor)


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
