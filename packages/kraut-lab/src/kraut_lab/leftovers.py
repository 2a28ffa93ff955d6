"""What earlier tests of a session left on the API server that the lab shares with them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from kraut_lab.errors import LabError
from kraut_lab.waiting import wait_for

if TYPE_CHECKING:
    from kraut_lab.controlplane.client import AdminClient

GROUP: Final = "/apis/kraut.dev/v1alpha1"
KINDS: Final = ("hosts", "clusters", "upgradepolicies")


def remove_objects(client: AdminClient) -> int:
    """Delete every object of kraut's kinds, finalizers or not; returns how many there were.

    Their hosts do not exist: the lab's worker would be busy with them and not with the lab's own. Only while no operator and
    no worker runs.
    """
    removed = 0
    for kind in KINDS:
        left = wait_for(partial(_listed, client, kind), f"{kind} to be served")
        for item in left:
            metadata = item["metadata"]
            if metadata.get("finalizers"):
                path = f"{GROUP}/namespaces/{metadata['namespace']}/{kind}/{metadata['name']}"
                client.merge(path, {"metadata": {"finalizers": None}})
        for namespace in {item["metadata"]["namespace"] for item in left}:
            client.delete(f"{GROUP}/namespaces/{namespace}/{kind}")
        removed += len(left)
    return removed


def _listed(client: AdminClient, kind: str) -> list[dict[str, Any]] | None:
    try:
        found = client.get(f"{GROUP}/{kind}")
    except LabError:
        # 429: a definition is established before its storage answers, and its storage begins anew when another one comes.
        return None
    return found and list(found["items"])
