"""The JSON Schemas that clients see: flat, closed, bounded, and true to what is really taken."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from pydantic import Field

from handlers import CATALOG
from rpc_server.contract.arguments import Arguments
from rpc_server.contract.fields import Id, LocalDate, ShortText, WholeNumber
from rpc_server.contract.result import Part
from rpc_server.contract.schema import input_schema, output_schema

EVERY_TOOL = pytest.mark.parametrize("tool", CATALOG.values(), ids=CATALOG)


def nodes(schema: Any, path: str = "$") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each schema within *schema*, with its path."""
    if isinstance(schema, list):
        for index, item in enumerate(schema):
            yield from nodes(item, f"{path}[{index}]")
    if isinstance(schema, dict):
        yield path, schema
        for key, value in schema.items():
            inner = value.values() if key == "properties" else [value]
            for child in inner:
                yield from nodes(child, f"{path}.{key}")


@EVERY_TOOL
def test_schemas_are_valid_and_flat(tool: Any) -> None:
    for schema in (tool.input_schema, tool.output_schema):
        Draft202012Validator.check_schema(schema)
        for path, node in nodes(schema):
            assert not {"$ref", "$defs", "anyOf", "oneOf", "allOf", "title"} & node.keys(), path
        assert schema["type"] == "object"


@EVERY_TOOL
def test_objects_are_closed(tool: Any) -> None:
    for schema in (tool.input_schema, tool.output_schema):
        for path, node in nodes(schema):
            if "properties" in node:
                assert node["additionalProperties"] is False, path


@EVERY_TOOL
def test_every_argument_is_described_typed_and_bounded(tool: Any) -> None:
    for path, node in nodes(tool.input_schema):
        match node.get("type"):
            case "string":
                assert "enum" in node or "maxLength" in node or node.get("format") in ("date", "uuid"), path
            case "array":
                assert "maxItems" in node, path
            case "integer" | "number":
                assert {"minimum", "maximum"} <= node.keys(), path
            case kind:
                assert kind in ("object", "boolean"), path
    for name, argument in tool.input_schema["properties"].items():
        assert argument["description"].endswith("."), name


@EVERY_TOOL
def test_a_default_fits_its_own_argument(tool: Any) -> None:
    for argument in tool.input_schema["properties"].values():
        if "default" in argument:
            Draft202012Validator(argument).validate(argument["default"])


@EVERY_TOOL
def test_every_field_of_a_result_is_there(tool: Any) -> None:
    for path, node in nodes(tool.output_schema):
        if "properties" in node:
            assert set(node["required"]) == set(node["properties"]), path


class Inner(Part):
    """A part."""

    title: str
    kind: Literal["a", "b"] | None
    only: Literal["x"] | None
    inner: list["Leaf"]


class Leaf(Part):
    """A leaf."""

    n: float | None = Field(description="A number.")


class Outer(Part):
    """The whole."""

    first: Inner
    second: Inner | None = Field(description="Perhaps.")
    named: dict[str, Leaf]


def test_parts_stand_where_they_are_used_and_null_is_among_their_types() -> None:
    leaf = {
        "type": "object",
        "description": "A leaf.",
        "additionalProperties": False,
        "properties": {"n": {"type": ["number", "null"], "description": "A number."}},
        "required": ["n"],
    }
    inner = {
        "type": "object",
        "description": "A part.",
        "additionalProperties": False,
        "properties": {
            "title": {"type": "string"},
            "kind": {"type": ["string", "null"], "enum": ["a", "b", None]},
            "only": {"type": ["string", "null"], "enum": ["x", None]},
            "inner": {"type": "array", "items": leaf},
        },
        "required": ["title", "kind", "only", "inner"],
    }
    assert output_schema(Outer) == {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "first": inner,
            "second": inner | {"type": ["object", "null"], "description": "Perhaps."},
            "named": {"type": "object", "additionalProperties": leaf},
        },
        "required": ["first", "second", "named"],
    }


class Taken(Arguments):
    """Everything an argument can be."""

    day: Annotated[LocalDate | None, Field(description="A day.")] = None
    id: Annotated[Id | None, Field(description="An id.")] = None
    ids: Annotated[list[Id] | None, Field(min_length=1, max_length=2)] = None
    text: ShortText | None = None
    number: Annotated[WholeNumber, Field(ge=1, le=9)] = 3
    word: Literal["a", "b"] = "a"
    must: bool


def test_an_optional_argument_is_left_out_rather_than_null() -> None:
    assert input_schema(Taken) == {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "day": {"type": "string", "format": "date", "description": "A day."},
            "id": {"type": "string", "format": "uuid", "description": "An id."},
            "ids": {"type": "array", "items": {"type": "string", "format": "uuid"}, "minItems": 1, "maxItems": 2},
            "text": {"type": "string", "maxLength": 200},
            "number": {"type": "integer", "minimum": 1, "maximum": 9, "default": 3},
            "word": {"type": "string", "enum": ["a", "b"], "default": "a"},
            "must": {"type": "boolean"},
        },
        "required": ["must"],
    }


def test_a_tool_without_arguments_has_an_empty_closed_schema() -> None:
    class Empty(Arguments):
        """Nothing."""

    assert input_schema(Empty) == {"type": "object", "additionalProperties": False, "properties": {}}


def test_an_argument_of_several_types_is_refused_because_clients_cannot_read_it() -> None:
    class Torn(Arguments):
        """Two in one."""

        either: int | str

    with pytest.raises(ValueError, match="one type or null"):
        input_schema(Torn)


def test_an_enumeration_stands_where_it_is_used() -> None:
    class Colour(StrEnum):
        RED = "red"
        BLUE = "blue"

    class Painted(Part):
        """A thing."""

        colour: Colour | None

    assert output_schema(Painted)["properties"]["colour"] == {
        "type": ["string", "null"],
        "enum": ["red", "blue", None],
    }
