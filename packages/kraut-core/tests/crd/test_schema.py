"""From pydantic's JSON schema to a structural one."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from kraut_core.api.meta import Integer, WireModel
from kraut_core.crd.schema import SchemaError, structural, without_defaults


class Inner(WireModel):
    """Inner docs."""

    size: Integer = 3


class Bare(WireModel):
    text: str = ""


def schema_of(**fields):
    model = type(
        "Model",
        (WireModel,),
        {
            "__annotations__": {k: v[0] for k, v in fields.items()},
            "__module__": __name__,
            **{k: v[1] for k, v in fields.items()},
        },
    )
    return structural(model)


def prop(annotation, default=...):
    return schema_of(value=(annotation, Field() if default is ... else default))["properties"]["value"]


def test_names_are_those_of_the_wire():
    assert list(schema_of(host_keys=(str, Field()))["properties"]) == ["hostKeys"]


def test_nothing_the_api_server_refuses_is_left():
    text = str(schema_of(value=(Inner | None, None), kind=(Literal["a"], "a")))
    for word in ("$ref", "title", "anyOf", "const", "'null'", "additionalProperties", "$defs"):
        assert word not in text


def test_optional_is_the_type_itself_without_default():
    assert prop(str | None, None) == {"type": "string"}
    assert prop(Inner | None, None)["properties"] == {"size": {"type": "integer", "default": 3}}
    assert "default" not in prop(Inner | None, None)


def test_an_object_that_is_always_there_defaults_to_empty_so_that_its_fields_default():
    assert prop(Inner, Field(default_factory=Inner))["default"] == {}


def test_an_object_without_defaults_of_its_own_has_none():
    class Empty(WireModel):
        text: str | None = None

    assert "default" not in prop(Empty, Field(default_factory=Empty))


def test_constant_becomes_enum():
    assert prop(Literal["SSH"], "SSH") == {"type": "string", "default": "SSH", "enum": ["SSH"]}


def test_exclusive_bounds_become_those_of_openapi_3_0():
    assert prop(Annotated[int, Field(gt=0, lt=10)]) == {
        "type": "integer",
        "minimum": 0,
        "maximum": 10,
        "exclusiveMinimum": True,
        "exclusiveMaximum": True,
    }


def test_integer_or_string_keeps_the_bounds_of_both():
    value = Annotated[
        Annotated[Integer, Field(ge=0)] | Annotated[str, Field(pattern="^[0-9]+%$")],
        Field(json_schema_extra={"x-kubernetes-int-or-string": True}),
    ]
    assert prop(value, 1) == {
        "default": 1,
        "pattern": "^[0-9]+%$",
        "minimum": 0,
        "x-kubernetes-int-or-string": True,
        "anyOf": [{"type": "integer"}, {"type": "string"}],
    }


def test_items_and_maps_are_converted():
    assert prop(list[Inner])["items"]["description"] == "Inner docs."
    assert prop(dict[str, str])["additionalProperties"] == {"type": "string"}


def test_the_description_of_a_field_wins_over_that_of_its_type():
    assert prop(Inner, Field(default_factory=Inner, description="Field docs."))["description"] == "Field docs."


@pytest.mark.parametrize("annotation", [int | str, Any, int | bool | None])
def test_what_has_no_structural_schema_is_refused_with_its_place(annotation):
    with pytest.raises(SchemaError, match="value"):
        prop(annotation)


class Tree(WireModel):
    children: "list[Tree]" = Field(default_factory=list)


def test_recursion_is_refused():
    with pytest.raises(SchemaError, match="itself"):
        structural(Tree)


def test_a_status_has_no_defaults():
    schema = schema_of(inner=(Inner, Field(default_factory=Inner)), many=(list[Inner], Field()), n=(Integer, 0))
    assert "default" not in str(without_defaults(schema))
