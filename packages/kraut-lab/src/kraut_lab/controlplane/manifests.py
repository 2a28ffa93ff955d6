"""What a fresh control plane is given: kraut's namespace, one service account per component, RBAC and CRDs."""

from __future__ import annotations

from typing import Any

from kraut_core.manifests import all_documents

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
    """kraut's CRDs, RBAC rules and admission policies."""
    return all_documents()
