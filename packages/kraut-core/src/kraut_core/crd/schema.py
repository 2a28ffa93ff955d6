"""JSON schema as pydantic writes it -> structural schema as the API server takes it (pure).

https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema.
References are inlined, ``null`` branches go (the API server prunes nulls), ``const`` becomes ``enum``, numeric exclusive
bounds become the boolean ones of OpenAPI 3.0, ``additionalProperties: false`` goes (unknown fields are pruned, or refused
under ``fieldValidation=Strict``), and an integer-or-string keeps its bounds beside ``x-kubernetes-int-or-string``.
"""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

Schema = dict[str, Any]

_KEPT: Final = (
    "type",
    "format",
    "description",
    "default",
    "enum",
    "pattern",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "required",
)
_EXTENSION: Final = "x-kubernetes-"
INT_OR_STRING: Final = f"{_EXTENSION}int-or-string"


class SchemaError(ValueError):
    """A model says what a structural schema cannot; the message names the place."""


def structural(model: type[BaseModel]) -> Schema:
    """The structural schema of ``model``, by its names on the wire. Raises SchemaError when there is none."""
    schema = model.model_json_schema(by_alias=True, mode="validation")
    return _convert(schema, definitions=schema.get("$defs", {}), path=(model.__name__,))


def _convert(schema: Mapping[str, Any], *, definitions: Mapping[str, Any], path: tuple[str, ...]) -> Schema:
    merged = _without_null(_inline(schema, definitions, path), definitions, path)
    if merged.get(INT_OR_STRING):
        return _ordered(_int_or_string(merged, path))
    if "anyOf" in merged or "oneOf" in merged or "allOf" in merged:
        raise SchemaError(f"{'.'.join(path)}: a field has one type; unions other than integer-or-string have no CRD")
    if "type" not in merged and "enum" not in merged and "const" not in merged:
        raise SchemaError(f"{'.'.join(path)}: a field needs a type, and Any has none")
    result = {key: value for key, value in merged.items() if key in _KEPT or key.startswith(_EXTENSION)}
    result.update(_constant(merged))
    result.update(_bounds(merged))
    if merged.get("default", ...) is None:
        del result["default"]
    if "items" in merged:
        result["items"] = _convert(merged["items"], definitions=definitions, path=(*path, "[]"))
    if isinstance(merged.get("additionalProperties"), Mapping):
        result["additionalProperties"] = _convert(
            merged["additionalProperties"], definitions=definitions, path=(*path, "{}")
        )
    if "properties" in merged:
        _convert_properties(merged, result, definitions, path)
    return _ordered(result)


def _convert_properties(merged: Schema, result: Schema, definitions: Mapping[str, Any], path: tuple[str, ...]) -> None:
    properties = {
        name: _convert(value, definitions=definitions, path=(*path, name))
        for name, value in merged["properties"].items()
    }
    required = set(merged.get("required", ()))
    for name, value in properties.items():
        # pydantic shows no default for a factory; without it the API server would not default what lies below
        if name not in required and "default" not in value and has_defaults(value) and _is_always_there(merged, name):
            value["default"] = {}
            properties[name] = _ordered(value)
    result["properties"] = properties


def _is_always_there(merged: Schema, name: str) -> bool:
    """Whether the model makes the object when it is absent: an optional one is ``anyOf`` with null."""
    return "anyOf" not in merged["properties"][name]


def has_defaults(schema: Schema) -> bool:
    """Whether an empty object would be given fields by defaulting; what stands in lists does not count."""
    properties = schema.get("properties", {}).values()
    return any("default" in value or has_defaults(value) for value in properties)


def without_defaults(schema: Schema) -> Schema:
    """``schema`` without any default: for a status, which says what was observed and nothing else."""
    result = {key: value for key, value in schema.items() if key not in {"default", "properties", "items"}}
    if "properties" in schema:
        result["properties"] = {name: without_defaults(value) for name, value in schema["properties"].items()}
    if "items" in schema:
        result["items"] = without_defaults(schema["items"])
    return result


def _inline(schema: Mapping[str, Any], definitions: Mapping[str, Any], path: tuple[str, ...]) -> Schema:
    """``schema`` with its reference resolved; what stands beside the reference (a description) wins."""
    if "$ref" not in schema:
        return dict(schema)
    if len(path) > 64:
        raise SchemaError(f"{'.'.join(path[:8])}...: a structural schema cannot refer to itself")
    name = schema["$ref"].removeprefix("#/$defs/")
    beside = {key: value for key, value in schema.items() if key != "$ref"}
    return {**_inline(definitions[name], definitions, path), **beside}


def _without_null(schema: Schema, definitions: Mapping[str, Any], path: tuple[str, ...]) -> Schema:
    branches = schema.get("anyOf")
    if branches is None:
        return schema
    real = [branch for branch in branches if branch.get("type") != "null"]
    beside = {key: value for key, value in schema.items() if key != "anyOf"}
    if len(real) == 1:
        return {**_inline(real[0], definitions, path), **beside}
    return {**beside, "anyOf": real}


def _int_or_string(schema: Schema, path: tuple[str, ...]) -> Schema:
    """``anyOf`` integer and string: bounds of either move beside it, where each applies to its own type only."""
    branches = {branch.get("type"): branch for branch in schema["anyOf"]}
    if set(branches) != {"integer", "string"}:
        raise SchemaError(f"{'.'.join(path)}: integer-or-string needs exactly an integer and a string branch")
    result = {key: value for key, value in schema.items() if key in _KEPT or key.startswith(_EXTENSION)}
    for branch in branches.values():
        result.update({key: value for key, value in branch.items() if key in _KEPT and key != "type"})
        result.update(_bounds(branch))
    result["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    return result


def _constant(schema: Schema) -> Schema:
    if "const" not in schema:
        return {}
    return {"enum": [schema["const"]], "type": schema.get("type", "string")}


def _bounds(schema: Schema) -> Schema:
    result: Schema = {}
    for plain, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if isinstance(schema.get(exclusive), int | float) and not isinstance(schema[exclusive], bool):
            result.update({plain: schema[exclusive], exclusive: True})
    return result


def _ordered(schema: Schema) -> Schema:
    """For people: what it is, then its bounds, then its parts."""
    order = (*_KEPT[:4], *_KEPT[4:])
    rest = sorted(key for key in schema if key not in order and key not in {"properties", "items"})
    keys = [*(key for key in order if key in schema), *rest, *(key for key in ("items", "properties") if key in schema)]
    return {key: schema[key] for key in keys}
