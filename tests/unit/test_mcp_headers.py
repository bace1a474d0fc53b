"""Headers that repeat the body: how they are packed, which arguments have one, and when they agree."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from rpc_server.protocol.errors import Refusal
from rpc_server.protocol.mcp_headers import (
    check_arguments,
    check_name,
    decoded,
    mirrored_arguments,
    single,
)


def packed(text: str) -> str:
    return f"=?base64?{base64.b64encode(text.encode()).decode()}?="


@given(st.text())
def test_whatever_is_packed_comes_out_again(text: str) -> None:
    assert decoded("Mcp-Name", packed(text)) == text


@pytest.mark.parametrize(
    "value",
    ["us-west1", "=?base64?YQ==", "YQ==?=", "=?BASE64?YQ==?=", "x=?base64?YQ==?=", "=?base64?=", ""],
)
def test_what_is_not_wholly_between_the_marks_stands_for_itself(value: str) -> None:
    assert decoded("Mcp-Name", value) == value


@pytest.mark.parametrize(
    "inner",
    ["YQ", "YQ=", "YQ==\n", "Y Q==", "YR==", "Y!Q=", "_-8=", "/w==", "7aCA"],
    ids=["no padding", "half", "line end", "blank", "bits left over", "no base64", "url-safe", "no utf-8", "surrogate"],
)
def test_base64_that_is_not_canonical_is_a_mismatch(inner: str) -> None:
    with pytest.raises(Refusal) as caught:
        decoded("Mcp-Name", f"=?base64?{inner}?=")

    assert (caught.value.code, caught.value.status) == (-32020, 400)


@pytest.mark.parametrize("value", ["olá", "a\x01b", "\x7f"])
def test_characters_that_a_header_cannot_hold_are_a_mismatch(value: str) -> None:
    with pytest.raises(Refusal):
        decoded("Mcp-Name", value)


def test_a_header_that_came_twice_is_a_mismatch_even_if_both_agree() -> None:
    headers = CIMultiDict([("Mcp-Method", "ping"), ("mcp-method", "ping")])

    with pytest.raises(Refusal):
        single(headers, "MCP-METHOD")


@pytest.mark.parametrize("value", ["ask", packed("ask"), " ask "])
def test_a_name_agrees_packed_or_not(value: str) -> None:
    check_name(single(CIMultiDict({"Mcp-Name": value}), "Mcp-Name"), "params.name", "ask")


# --- arguments ----------------------------------------------------------------------------------


def schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def mirrored(kind: str, name: str = "X") -> dict[str, Any]:
    return {"type": kind, "x-mcp-header": name}


def test_annotated_arguments_are_found_however_deep() -> None:
    found = mirrored_arguments(
        schema(a=mirrored("string", "A"), b=schema(c=mirrored("integer", "C")), d={"type": "string"})
    )

    assert [(argument.header, argument.path) for argument in found] == [
        ("Mcp-Param-A", ("a",)),
        ("Mcp-Param-C", ("b", "c")),
    ]


def test_a_property_may_be_called_like_the_annotation() -> None:
    assert mirrored_arguments(schema(**{"x-mcp-header": {"type": "string"}})) == []


@pytest.mark.parametrize(
    "wrong",
    [
        schema(a=mirrored("number")),
        schema(a=mirrored("object")),
        schema(a={"x-mcp-header": "X"}),
        schema(a=mirrored("string", "")),
        schema(a=mirrored("string", "A B")),
        schema(a=mirrored("string", "A\r\nB")),
        schema(a={"type": "string", "x-mcp-header": 1}),
        schema(a=mirrored("string", "Same"), b=mirrored("string", "same")),
        schema(a={"type": "array", "items": mirrored("string")}),
        {"type": "object", "anyOf": [schema(a=mirrored("string"))]},
        {"type": "object", "$defs": {"a": mirrored("string")}},
    ],
)
def test_an_annotation_that_makes_clients_drop_the_tool_fails_at_the_start(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"header"):
        mirrored_arguments(wrong)


@pytest.mark.parametrize(
    ("kind", "argument", "header"),
    [
        ("string", "eu", "eu"),
        ("string", "olá", packed("olá")),
        ("string", "", ""),
        ("string", "=?base64?x?=", packed("=?base64?x?=")),
        ("integer", 42, "42"),
        ("integer", 42, "42.0"),
        ("integer", 42.0, "42"),
        ("integer", -7, "-7"),
        ("boolean", True, "true"),
        ("boolean", False, "false"),
        ("string", None, None),
    ],
)
def test_a_header_agrees_with_its_argument(kind: str, argument: Any, header: str | None) -> None:
    headers = CIMultiDict({} if header is None else {"Mcp-Param-X": header})

    check_arguments(headers, mirrored_arguments(schema(a=mirrored(kind))), {"a": argument})


@pytest.mark.parametrize(
    ("kind", "argument", "header"),
    [
        ("string", "eu", None),
        ("string", "eu", "us"),
        ("string", "eu", "EU"),
        ("string", None, "eu"),
        ("string", "1", "=?base64?MQ?="),
        ("integer", 42, "43"),
        ("integer", 42, "x"),
        ("integer", 42, "inf"),
        ("integer", 2**53, str(2**53)),
        ("boolean", True, "True"),
        ("boolean", True, "1"),
        ("string", ["eu"], "eu"),
    ],
)
def test_a_header_that_says_something_else_is_a_mismatch(kind: str, argument: Any, header: str | None) -> None:
    headers = CIMultiDict({} if header is None else {"Mcp-Param-X": header})

    with pytest.raises(Refusal) as caught:
        check_arguments(headers, mirrored_arguments(schema(a=mirrored(kind))), {"a": argument})

    assert caught.value.code == -32020


def test_an_argument_that_is_not_there_needs_no_header() -> None:
    absent: list[Any] = [{}, None, [], {"b": {}}]
    for arguments in absent:
        check_arguments(CIMultiDict(), mirrored_arguments(schema(b=schema(a=mirrored("string")))), arguments)
