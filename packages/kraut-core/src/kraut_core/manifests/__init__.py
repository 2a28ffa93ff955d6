"""What a cluster is given before kraut runs on it, as parsed documents: CRDs, RBAC, admission policies.

The YAML files beside this module are the source; the CRDs come from the models. Needs the extra ``crd``.
``python -m kraut_core.manifests`` prints all of it.
"""

from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Final

import yaml

from kraut_core.crd import all_definitions
from kraut_core.crd.files import files

NAMESPACE: Final = "kraut-system"
"""Where kraut's service accounts live; the admission policies name them there."""

Document = dict[str, Any]


def all_documents() -> list[Document]:
    """Everything, in the order in which to apply it; the namespace of the service accounts must exist."""
    return [*crds(), *rbac(), *admission()]


def as_text() -> str:
    """The same as YAML, with the comments of the files: they say how rights can be narrowed."""
    sources = [file.read_text() for folder in ("rbac", "admission") for file in _files(folder)]
    return "---\n".join([*files().values(), *sources])


def crds() -> list[Document]:
    """The CustomResourceDefinition of every kind."""
    return all_definitions()


def rbac() -> list[Document]:
    """Service accounts, roles and bindings of operator, worker and oidc-proxy, and the roles that people's roles aggregate."""
    return _load("rbac")


def admission() -> list[Document]:
    """ValidatingAdmissionPolicies that keep kraut from what RBAC cannot keep it from."""
    return _load("admission")


def _load(folder: str) -> list[Document]:
    return [document for file in _files(folder) for document in yaml.safe_load_all(file.read_text()) if document]


def _files(folder: str) -> list[Traversable]:
    root = resources.files(__name__) / folder
    return sorted((entry for entry in root.iterdir() if entry.name.endswith(".yaml")), key=_name)


def _name(entry: Traversable) -> str:
    return entry.name
