"""What a fresh control plane is given: kraut's namespace, one service account per component, RBAC and CRDs."""

from __future__ import annotations

from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

NAMESPACE = "kraut-system"
COMPONENTS = ("operator", "worker")


def service_account(component: str) -> str:
    """The service account of a component, e.g. ``kraut-operator``."""
    return f"kraut-{component}"


def base_documents() -> list[dict[str, Any]]:
    """The namespace and the service accounts."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    accounts = [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": service_account(component), "namespace": NAMESPACE},
        }
        for component in COMPONENTS
    ]
    return [namespace, *accounts]


def core_documents() -> list[dict[str, Any]]:
    """The CRDs and the RBAC rules that kraut-core ships; empty when it is not installed."""
    if find_spec("kraut_core") is None:
        return []
    root = Path(str(resources.files("kraut_core"))) / "manifests"
    documents: list[dict[str, Any]] = []
    for file in sorted(root.rglob("*.yaml")):
        documents += [document for document in yaml.safe_load_all(file.read_text()) if document]
    return documents
