"""One kind -> its CustomResourceDefinition as a plain object (pure)."""

from typing import Any, Final, get_args

from pydantic import BaseModel

from kraut_core.api.kinds import Column, Kind, Rule, all_kinds
from kraut_core.api.meta import GROUP, VERSION
from kraut_core.crd.schema import Schema, SchemaError, structural, without_defaults

CATEGORY: Final = "kraut"
KEEP: Final = {"helm.sh/resource-policy": "keep"}
"""Uninstalling the chart must not delete every host and cluster that a person wrote."""


def all_definitions() -> list[dict[str, Any]]:
    """The CustomResourceDefinition of every kind, sorted by kind."""
    return [definition(kind) for kind in all_kinds()]


def definition(kind: Kind) -> dict[str, Any]:
    """The CustomResourceDefinition (apiextensions.k8s.io/v1) of ``kind``."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": kind.crd_name, "annotations": dict(KEEP)},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": kind.name,
                "listKind": f"{kind.name}List",
                "plural": kind.plural,
                "singular": kind.name.lower(),
                "shortNames": list(kind.short_names),
                "categories": [CATEGORY],
            },
            "scope": "Namespaced",
            "versions": [_version(kind)],
        },
    }


def _version(kind: Kind) -> dict[str, Any]:
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [_column(column) for column in kind.columns],
        "schema": {"openAPIV3Schema": _root(kind)},
    }


def _column(column: Column) -> dict[str, Any]:
    result: dict[str, Any] = {"name": column.name, "type": column.type, "jsonPath": column.json_path}
    if column.description:
        result["description"] = column.description
    if column.priority:
        result["priority"] = column.priority
    return result


def _root(kind: Kind) -> Schema:
    root: Schema = {
        "type": "object",
        "description": " ".join((kind.model.__doc__ or "").split()),
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": structural(_part(kind, "spec")),
            "status": without_defaults(structural(_part(kind, "status"))),
        },
    }
    for rule in kind.rules:
        _add_rule(root, rule)
    return root


def _part(kind: Kind, name: str) -> type[BaseModel]:
    annotation = kind.model.model_fields[name].annotation
    candidates = [annotation, *get_args(annotation)]
    for candidate in candidates:
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    raise SchemaError(f"{kind.name}.{name} must be a model, it is {annotation!r}")


def _add_rule(root: Schema, rule: Rule) -> None:
    target = root
    for name in rule.path:
        target = target["properties"][name]
    target.setdefault("x-kubernetes-validations", []).append({"rule": rule.rule, "message": rule.message})
