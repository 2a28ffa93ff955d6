"""What happens when a Host is deleted: kraut's folder on the machine goes, then the object may go."""

import structlog

from kraut_core.api.meta import GROUP
from kraut_core.api.v1alpha1.host import Host
from kraut_core.errors import KrautError
from kraut_core.kube.client import KubeClient
from kraut_core.kube.events import Event, create_event
from kraut_worker.messages import Assessment
from kraut_worker.operations.protocol import remove_all
from kraut_worker.planning.scene import Problem
from kraut_worker.ports import HostConnector, HostTarget

log = structlog.get_logger(__name__)

FINALIZER = f"{GROUP}/host"
"""Set with the first contact, so that kraut is asked to remove what it left on the machine."""

TRIES = 3
"""A host that cannot be asked so often, some seconds apart, keeps its folder: deletion never hangs."""


NO_CREDENTIALS = Problem("SecretNotFound", "there are no credentials to log in with", permanent=True)


class HostCleaner:
    """Removes what kraut left on a host, then its finalizer."""

    def __init__(self, kube: KubeClient, connector: HostConnector, *, instance: str) -> None:
        self._kube = kube
        self._connector = connector
        self._instance = instance

    async def clean_up(
        self, host: Host, target: HostTarget | None, problem: Problem | None, *, attempt: int
    ) -> Assessment:
        """``Gone`` when the object may go; ``Wait`` while an operation runs on the host or it may yet answer.

        Without a target, ``problem`` says why the host cannot be asked: its Secret was deleted with it, for example.
        """
        if FINALIZER not in host.metadata.finalizers:
            return Assessment(outcome="Gone")
        if target is None:
            await let_go(self._kube, host, problem or NO_CREDENTIALS, instance=self._instance)
            return Assessment(outcome="Gone")
        try:
            async with self._connector.connect(target) as shell:
                running = await remove_all(shell)
        except KrautError as error:
            if not error.permanent and attempt < TRIES - 1:
                return Assessment(outcome="Wait", recheck_seconds=5, healing=True, reason=error.reason)
            await let_go(self._kube, host, Problem.of(error), instance=self._instance)
            return Assessment(outcome="Gone")
        if running:
            return Assessment(outcome="Wait", recheck_seconds=5, reason="OperationRunning")
        await _remove_finalizer(self._kube, host)
        return Assessment(outcome="Gone")


async def let_go(kube: KubeClient, host: Host, problem: Problem, *, instance: str) -> None:
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


async def _remove_finalizer(kube: KubeClient, host: Host) -> None:
    metadata = host.metadata
    left = [finalizer for finalizer in metadata.finalizers if finalizer != FINALIZER]
    await kube.set_finalizers(Host, metadata.namespace, metadata.name, metadata.resource_version, left)
