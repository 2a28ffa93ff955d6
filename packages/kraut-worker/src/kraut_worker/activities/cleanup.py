"""What happens when a Host is deleted: kraut's folder on the machine goes, then the object may go."""

import structlog

from kraut_core.api.meta import GROUP
from kraut_core.api.v1alpha1.host import Host
from kraut_core.errors import KrautError
from kraut_core.kube import paths
from kraut_core.kube.client import KubeClient, as_kind
from kraut_core.kube.events import Event, create_event
from kraut_worker.activities.targets import read_target
from kraut_worker.messages import Assessment
from kraut_worker.operations.protocol import remove_all
from kraut_worker.planning.scene import Problem
from kraut_worker.planning.sharing import Sharer, UnreadableHost, read_unreadable
from kraut_worker.ports import HostConnector, HostTarget

log = structlog.get_logger(__name__)

FINALIZER = f"{GROUP}/host"
"""Set with the first contact, so that kraut is asked to remove what it left on the machine."""

TRIES = 3
"""A host that cannot be asked so often, some seconds apart, keeps its folder: deletion never hangs."""


NO_CREDENTIALS = Problem("SecretNotFound", "there are no credentials to log in with", permanent=True)

UNREADABLE = Problem("InvalidSpec", "its spec does not fit this version of kraut", permanent=True)


class HostCleaner:
    """Removes what kraut left on a host, then its finalizer."""

    def __init__(self, kube: KubeClient, connector: HostConnector, *, instance: str) -> None:
        self._kube = kube
        self._connector = connector
        self._instance = instance

    async def clean_up(self, host: Host, *, attempt: int, in_flight: str = "") -> Assessment:
        """``Gone`` when the object may go; ``Wait`` while an operation runs on the host or it may yet answer.

        ``in_flight`` is the operation that an activity is busy with: it may be about to start it, behind a login that takes long.
        It notices the deletion by itself, and reports.
        """
        if FINALIZER not in host.metadata.finalizers:
            return Assessment(outcome="Gone")
        if in_flight:
            return Assessment(outcome="Wait", recheck_seconds=5, reason="OperationRunning")
        target, problem = await read_target(self._kube, host)
        if target is None:
            # Its Secret was deleted with it, for example.
            return await self._give_up(host, problem or NO_CREDENTIALS)
        return await self._remove(host, target, attempt)

    async def _remove(self, host: Host, target: HostTarget, attempt: int) -> Assessment:
        try:
            async with self._connector.connect(target) as shell:
                running = await remove_all(shell, fencing_token=host.status.fencing_token if host.status else 0)
        except KrautError as error:
            if not error.permanent and attempt < TRIES - 1:
                return Assessment(outcome="Wait", recheck_seconds=5, healing=True, reason=error.reason)
            return await self._give_up(host, Problem.of(error))
        if running:
            return Assessment(outcome="Wait", recheck_seconds=5, reason="OperationRunning")
        await _remove_finalizer(self._kube, host)
        return Assessment(outcome="Gone")

    async def _give_up(self, host: Host, problem: Problem) -> Assessment:
        await let_go(self._kube, host, problem, instance=self._instance)
        return Assessment(outcome="Gone")

    async def let_unreadable_go(self, namespace: str, name: str) -> UnreadableHost | None:
        """Let a Host go that this version cannot read, if it is being deleted. Raises NotFoundError, ConflictError."""
        return await let_unreadable_go(self._kube, namespace, name, instance=self._instance)


async def let_unreadable_go(kube: KubeClient, namespace: str, name: str, *, instance: str) -> UnreadableHost | None:
    """Let a Host go that this version of kraut cannot read, if it is being deleted; None when it is not.

    How the machine is reached is not known then, and its namespace would stay in Terminating for ever.
    Raises NotFoundError; ConflictError when somebody wrote the Host meanwhile.
    """
    host = read_unreadable(await kube.get_raw(paths.item(as_kind(Host), namespace, name)))
    if host.metadata.deletion_timestamp is None:
        return None
    await let_go(kube, host, UNREADABLE, instance=instance)
    return host


async def let_go(kube: KubeClient, host: Sharer, problem: Problem, *, instance: str) -> None:
    """Let a Host go whose machine cannot be asked, and say what stays there: deletion never hangs.

    Raises ConflictError when somebody wrote the Host meanwhile.
    """
    if FINALIZER not in host.metadata.finalizers:
        return
    metadata = host.metadata
    note = f"/var/lib/kraut stays on the host, which could not be asked to remove it: {problem.message}"
    log.warning("cleanup skipped", host=metadata.name, namespace=metadata.namespace, reason=problem.reason)
    event = Event(regarding=host, reason="CleanupSkipped", action="Cleanup", note=note, type="Warning")
    try:
        await create_event(kube, event, controller="kraut.dev/worker", instance=instance)
    except KrautError as error:
        log.warning("event not recorded", host=metadata.name, reason="CleanupSkipped", error=str(error))
    await _remove_finalizer(kube, host)


async def _remove_finalizer(kube: KubeClient, host: Sharer) -> None:
    metadata = host.metadata
    left = [finalizer for finalizer in metadata.finalizers if finalizer != FINALIZER]
    # Not by a method that reads the answer: this version may not understand the object.
    path = paths.item(as_kind(Host), metadata.namespace, metadata.name)
    await kube.patch_raw(path, {"metadata": {"resourceVersion": metadata.resource_version, "finalizers": left}})
