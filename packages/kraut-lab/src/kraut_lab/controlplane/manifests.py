"""What a fresh control plane is given: kraut's namespace, one service account per component, RBAC and CRDs."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from kraut_core.crd import all_definitions

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
    """kraut's CRDs, generated from the models, and the RBAC rules that kraut-core ships."""
    rules = Path(str(resources.files("kraut_core"))) / "manifests" / "rbac"
    documents = all_definitions()
    for file in sorted(rules.glob("*.yaml")):
        documents += [document for document in yaml.safe_load_all(file.read_text()) if document]
    return documents
