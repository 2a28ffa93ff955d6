"""Objects of the API that are gone for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kraut_lab.controlplane import ControlPlane
from kraut_lab.errors import LabError
from kraut_lab.waiting import wait_until

BINDINGS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

_KEPT_METADATA = ("name", "namespace", "labels", "annotations")


@contextmanager
def without(plane: ControlPlane, collection: str, name: str, *, timeout: float = 300.0) -> Iterator[dict[str, Any]]:
    """Delete an object, wait until it is gone, and create it again at the end as it was. Yields what it was.

    Args:
        collection: its path without the name, e.g. `BINDINGS`.
        timeout: seconds that its finalizers may take.
    """
    path = f"{collection}/{name}"
    found: dict[str, Any] | None = plane.admin.get(path)
    if found is None:
        raise LabError(f"{path} should be there to be taken away, and it is not.")
    plane.admin.delete(path)
    try:
        wait_until(lambda: plane.admin.get(path) is None, f"{path} to be gone", timeout=timeout)
        yield found
    finally:
        plane.admin.create(collection, _as_new(found))


def _as_new(found: dict[str, Any]) -> dict[str, Any]:
    metadata = {key: value for key, value in found["metadata"].items() if key in _KEPT_METADATA}
    return {key: value for key, value in found.items() if key != "status"} | {"metadata": metadata}
