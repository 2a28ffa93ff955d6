"""The output of failed operations, redacted, in ConfigMaps owned by their Host; ``kraut logs`` reads them."""

import json
from collections.abc import Sequence

import structlog

from kraut_core.api.v1alpha1.host import Host
from kraut_core.contracts.operation_log import (
    KEPT_PER_OBJECT,
    MAX_OUTPUT_BYTES,
    OPERATION_KEY,
    OUTPUT_KEY,
    operation_log_labels,
    operation_log_name,
    operation_log_selector,
)
from kraut_core.errors import ConflictError, KrautError
from kraut_core.kube.client import KubeClient
from kraut_core.kube.objects import ConfigMap, owner_of
from kraut_core.redaction import redact_text
from kraut_worker.operations.protocol import poll
from kraut_worker.ports import Shell

log = structlog.get_logger(__name__)


class OperationLogs:
    """Keeps the newest few."""

    def __init__(self, kube: KubeClient) -> None:
        self._kube = kube

    async def keep(self, shell: Shell, host: Host, operation_id: str, *, known: Sequence[str] = ()) -> None:
        """Keep the end of an operation's output (<= 256 KiB). A log is a courtesy: failing to keep it fails nothing else.

        ``known`` are the secrets that kraut itself has for the host: they are blanked wherever they stand. Raises what
        ``Shell.run`` raises when the host goes out of sight meanwhile: the output may yet be read.
        """
        output = await _read_end(shell, operation_id)
        try:
            await self._store(host, operation_id, redact_text(output.decode("utf-8", "replace"), known=known))
            await self._prune(host)
        except KrautError as error:
            # Whatever the API server's reason, a webhook's or its own: the operation has ended, and other hosts wait for its place.
            log.warning("operation log not kept", host=host.metadata.name, operation=operation_id, error=str(error))

    async def _store(self, host: Host, operation_id: str, output: str) -> None:
        kept = ConfigMap(
            namespace=host.metadata.namespace,
            name=operation_log_name(host.metadata.name, operation_id),
            labels=operation_log_labels(host.kind, host.metadata.name, operation_id),
            owner=owner_of(host),
            data={OUTPUT_KEY: output, OPERATION_KEY: _operation_json(host, operation_id)},
        )
        try:
            await self._kube.create_config_map(kept)
        except ConflictError:
            return  # an earlier attempt of this activity kept it

    async def _prune(self, host: Host) -> None:
        namespace = host.metadata.namespace
        selector = operation_log_selector(host.kind, host.metadata.name)
        kept = await self._kube.list_config_maps(namespace, label_selector=selector)
        newest_first = sorted(kept, key=lambda config_map: int(config_map.resource_version), reverse=True)
        for surplus in newest_first[KEPT_PER_OBJECT:]:
            await self._delete(namespace, surplus.name)

    async def _delete(self, namespace: str, name: str) -> None:
        try:
            await self._kube.delete_config_map(namespace, name)
        except KrautError as error:
            log.warning("operation log not removed", config_map=name, error=str(error))


def _operation_json(host: Host, operation_id: str) -> str:
    operations = host.status.operations if host.status is not None else []
    found = next((operation for operation in operations if operation.id == operation_id), None)
    return found.model_dump_json(by_alias=True, exclude_none=True) if found else json.dumps({"id": operation_id})


async def _read_end(shell: Shell, operation_id: str) -> bytes:
    state = await poll(shell, operation_id, wait_seconds=0)
    offset = max(0, state.size - MAX_OUTPUT_BYTES)
    output = b""
    while len(output) < MAX_OUTPUT_BYTES:
        state = await poll(shell, operation_id, offset, wait_seconds=0)
        if not state.chunk:
            break
        output, offset = output + state.chunk, state.offset
    return output if state.size <= MAX_OUTPUT_BYTES else _whole_lines(output)


def _whole_lines(output: bytes) -> bytes:
    """Without the rest of a line whose beginning was cut off: no pattern would know a secret in it."""
    return output.partition(b"\n")[2] or output
