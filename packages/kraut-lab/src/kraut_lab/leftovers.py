"""What earlier tests of a session left on the API server that the lab shares with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

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
        left = (client.get(f"{GROUP}/{kind}") or {"items": []})["items"]
        for item in left:
            metadata = item["metadata"]
            if metadata.get("finalizers"):
                path = f"{GROUP}/namespaces/{metadata['namespace']}/{kind}/{metadata['name']}"
                client.merge(path, {"metadata": {"finalizers": None}})
        for namespace in {item["metadata"]["namespace"] for item in left}:
            client.delete(f"{GROUP}/namespaces/{namespace}/{kind}")
        removed += len(left)
    return removed
