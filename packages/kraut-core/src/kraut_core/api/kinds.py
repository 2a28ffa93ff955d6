"""What a kind declares about itself beside its fields, and the registry of all kinds.

A kind is one module in ``kraut_core.api.v1alpha1`` with a module-level ``KIND``. The operator, the CRD
generator and the API read this registry and name no kind themselves: a new kind costs one file.
"""

import importlib
import pkgutil
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType
from typing import Any, Literal

from kraut_core.api.meta import GROUP, VERSION, Resource


@dataclass(frozen=True, slots=True)
class Reference:
    """A field of the spec that names another object in the same namespace.

    ``path`` leads from the object's root to the name, for example ``("spec", "credentialsRef", "name")``.
    ``version`` says what stands for the content of the referenced object: Secrets have no generation,
    and the status of a kraut resource must not wake everybody who refers to it.
    """

    path: tuple[str, ...]
    kind: str
    version: Literal["resourceVersion", "generation"]


@dataclass(frozen=True, slots=True)
class Selector:
    """A field of the spec that holds a metav1.LabelSelector over objects of ``kind`` in the same namespace."""

    path: tuple[str, ...]
    kind: str


@dataclass(frozen=True, slots=True)
class Column:
    """A printer column (CustomResourceColumnDefinition); ``priority`` > 0 shows in ``-o wide`` only."""

    name: str
    json_path: str
    type: Literal["string", "integer", "number", "boolean", "date"] = "string"
    priority: int = 0
    description: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """A CEL rule (x-kubernetes-validations) at ``path``, a path of field names below the object's root."""

    path: tuple[str, ...]
    rule: str
    message: str


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of kraut's group.

    ``reconciled``: a workflow exists for it and the operator dispatches its changes; other kinds are only referred to.
    ``site_path``: the field of the spec that names the site whose workers serve an object; empty: any worker does.
    ``owns``: kinds whose objects, controlled by one of this kind (ownerReferences), wake their owner when they change.
    """

    model: type[Resource[Any, Any]]
    plural: str
    short_names: tuple[str, ...]
    reconciled: bool
    columns: tuple[Column, ...]
    references: tuple[Reference, ...] = ()
    selectors: tuple[Selector, ...] = ()
    owns: tuple[str, ...] = ()
    site_path: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = field(default=())

    @property
    def name(self) -> str:
        """The kind's name, for example ``Host``."""
        return self.model.KIND

    @property
    def crd_name(self) -> str:
        """The name of its CustomResourceDefinition, for example ``hosts.kraut.dev``."""
        return f"{self.plural}.{GROUP}"

    @property
    def path(self) -> str:
        """Its path on the API server, without namespace: ``/apis/kraut.dev/v1alpha1/hosts``."""
        return f"/apis/{GROUP}/{VERSION}/{self.plural}"


@cache
def all_kinds() -> tuple[Kind, ...]:
    """Every kind of ``kraut.dev/v1alpha1``, sorted by name."""
    package = importlib.import_module("kraut_core.api.v1alpha1")
    modules = [
        importlib.import_module(f"{package.__name__}.{info.name}") for info in pkgutil.iter_modules(package.__path__)
    ]
    return tuple(sorted((kind for module in modules for kind in _declared(module)), key=lambda kind: kind.name))


def _declared(module: ModuleType) -> list[Kind]:
    kind = getattr(module, "KIND", None)
    return [kind] if isinstance(kind, Kind) else []


def kind_named(name: str) -> Kind:
    """The kind of that name. Raises KeyError when there is none."""
    for kind in all_kinds():
        if kind.name == name:
            return kind
    raise KeyError(name)
