"""What happens when a Host is deleted: kraut's folder on the machine goes, then the object may go."""

import structlog

from kraut_core.api.meta import GROUP
from kraut_core.api.v1alpha1.host import Host
from kraut_core.errors import KrautError
from kraut_core.kube.client import KubeClient
from kraut_core.kube.events import Event, create_event
from kraut_worker.messages import Assessment
from kraut_worker.operations.protocol import remove_all
from kraut_worker.ports import HostConnector, HostTarget

log = structlog.get_logger(__name__)

FINALIZER = f"{GROUP}/host"
"""Set with the first contact, so that kraut is asked to remove what it left on the machine."""

TRIES = 3
"""A host that cannot be asked so often, some seconds apart, keeps its folder: deletion never hangs."""


class HostCleaner:
    """Removes what kraut left on a host, then its finalizer."""

    def __init__(self, kube: KubeClient, connector: HostConnector, *, instance: str) -> None:
        self._kube = kube
        self._connector = connector
        self._instance = instance

    async def clean_up(self, host: Host, target: HostTarget | None, *, attempt: int) -> Assessment:
        """``Gone`` when the object may go; ``Wait`` while an operation runs on the host or it may yet answer."""
        if FINALIZER not in host.metadata.finalizers:
            return Assessment(outcome="Gone")
        if target is not None:
            try:
                async with self._connector.connect(target) as shell:
                    running = await remove_all(shell)
            except KrautError as error:
                if not error.permanent and attempt < TRIES - 1:
                    return Assessment(outcome="Wait", recheck_seconds=5, healing=True, reason=error.reason)
                await self._skip(host, error)
            else:
                if running:
                    return Assessment(outcome="Wait", recheck_seconds=5, reason="OperationRunning")
        await self._remove_finalizer(host)
        return Assessment(outcome="Gone")

    async def _remove_finalizer(self, host: Host) -> None:
        metadata = host.metadata
        left = [finalizer for finalizer in metadata.finalizers if finalizer != FINALIZER]
        await self._kube.set_finalizers(Host, metadata.namespace, metadata.name, metadata.resource_version, left)

    async def _skip(self, host: Host, problem: KrautError) -> None:
        note = f"/var/lib/kraut stays on the host, which could not be asked to remove it: {problem.message}"
        log.warning(
            "cleanup skipped", host=host.metadata.name, namespace=host.metadata.namespace, reason=problem.reason
        )
        event = Event(regarding=host, reason="CleanupSkipped", action="Cleanup", note=note, type="Warning")
        try:
            await create_event(self._kube, event, controller="kraut.dev/worker", instance=self._instance)
        except KrautError as error:
            log.warning("event not recorded", host=host.metadata.name, reason="CleanupSkipped", error=str(error))
