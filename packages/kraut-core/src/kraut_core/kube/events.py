"""Events (events.k8s.io/v1): what happened to an object, for ``kubectl events``; the same again only counts up.

https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from kraut_core.api.meta import Resource
from kraut_core.errors import ConflictError, NotFoundError
from kraut_core.kube.client import KubeClient
from kraut_core.kube.paths import segment

MAX_NOTE_BYTES = 1024
MAX_WORD_CHARACTERS = 128


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened; two that are equal are one event with a count.

    ``reason`` and ``action`` are CamelCase constants, ``note`` is a sentence without secrets (cut at 1,024 bytes).
    """

    regarding: Resource[Any, Any]
    reason: str
    action: str
    note: str
    type: Literal["Normal", "Warning"] = "Normal"


async def create_event(
    client: KubeClient, event: Event, *, controller: str, instance: str, now: datetime | None = None
) -> None:
    """Record ``event``, or count it once more when the API server still has the same one (it keeps them for an hour).

    ``controller`` is a qualified name such as ``kraut.dev/worker``, ``instance`` the process. Raises as ``KubeClient`` does,
    but never ConflictError: of two processes that count at once one may be missed.
    """
    moment = (now or datetime.now(UTC)).isoformat(timespec="microseconds").replace("+00:00", "Z")
    manifest = event_manifest(event, controller=controller, instance=instance, moment=moment)
    collection = f"/apis/events.k8s.io/v1/namespaces/{segment(event.regarding.metadata.namespace)}/events"
    try:
        await client.post_raw(collection, manifest)
    except ConflictError:
        await _count(client, f"{collection}/{manifest['metadata']['name']}", moment)


async def _count(client: KubeClient, path: str, moment: str) -> None:
    try:
        existing = await client.get_raw(path)
        count = int((existing.get("series") or {}).get("count", 1)) + 1
        series = {"count": count, "lastObservedTime": moment}
        resource_version = existing["metadata"]["resourceVersion"]
        await client.patch_raw(path, {"metadata": {"resourceVersion": resource_version}, "series": series})
    except (ConflictError, NotFoundError):
        return


def event_manifest(event: Event, *, controller: str, instance: str, moment: str) -> dict[str, Any]:
    """The object to send; its name is made of what it says, so that the same event is the same object."""
    metadata = event.regarding.metadata
    note = cut_note(event.note)
    said = "\0".join((metadata.uid, event.type, event.reason, event.action, note, controller))
    digest = hashlib.sha256(said.encode()).hexdigest()[:16]
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": f"{metadata.name[:235]}.{digest}", "namespace": metadata.namespace},
        "eventTime": moment,
        "type": event.type,
        "reason": event.reason[:MAX_WORD_CHARACTERS],
        "action": event.action[:MAX_WORD_CHARACTERS],
        "note": note,
        "reportingController": controller,
        "reportingInstance": instance[:MAX_WORD_CHARACTERS],
        "regarding": {
            "apiVersion": event.regarding.api_version,
            "kind": event.regarding.kind,
            "namespace": metadata.namespace,
            "name": metadata.name,
            "uid": metadata.uid,
            "resourceVersion": metadata.resource_version,
        },
    }


def cut_note(note: str) -> str:
    """``note`` within the API server's limit, which counts bytes, without splitting a character."""
    encoded = note.encode()
    if len(encoded) <= MAX_NOTE_BYTES:
        return note
    return encoded[: MAX_NOTE_BYTES - 3].decode(errors="ignore") + "…"
