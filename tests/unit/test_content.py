"""Tools that answer in content blocks, and tools that bring a schema of their own."""

import base64
from typing import Any

import orjson
import pytest

from rpc_server.contract import content
from rpc_server.contract.arguments import AnyArguments, NoArguments, validated
from rpc_server.contract.content import Content
from rpc_server.contract.tool import Call, tool
from rpc_server.protocol.tool_shapes import listed, tool_result

SCHEMA = {"type": "object", "$defs": {"a": {"$anchor": "x"}}, "title": "Kept", "if": {"required": ["a"]}}


@tool(title="Own", permission="tests.call", schema=SCHEMA)
async def own(call: Call, arguments: AnyArguments) -> Content:
    """Show a schema as it stands."""
    return Content(blocks=())


def test_a_schema_of_its_own_is_shown_exactly_as_it_stands() -> None:
    assert listed(own)["inputSchema"] is SCHEMA


def test_its_arguments_come_through_as_they_are() -> None:
    arguments = validated(AnyArguments, {"a": 1, "b": None})

    assert arguments.model_dump() == {"a": 1, "b": None}


def test_content_has_no_fields_and_therefore_no_output_schema() -> None:
    result = tool_result(Content(blocks=(content.text("Look:"), content.link("crm://lead/1", "a lead"))))

    assert "outputSchema" not in listed(own)
    assert result == {
        "content": [
            {"type": "text", "text": "Look:"},
            {"type": "resource_link", "uri": "crm://lead/1", "name": "a lead"},
        ],
        "isError": False,
    }


@pytest.mark.parametrize(
    ("block", "data"),
    [
        (content.image(b"\x89PNG", "image/png"), "data"),
        (content.audio(b"RIFF", "audio/wav"), "data"),
        (content.resource("a://b", "application/pdf", b"%PDF")["resource"], "blob"),
    ],
)
def test_bytes_travel_as_base64(block: dict[str, Any], data: str) -> None:
    assert base64.b64decode(block[data]) in (b"\x89PNG", b"RIFF", b"%PDF")


def test_whoever_reads_only_text_gets_the_words() -> None:
    assert Content(blocks=(content.text("a"), content.image(b"", "image/png"), content.text("b"))).text() == "a\nb"


async def test_a_tool_without_a_schema_of_its_own_has_that_of_its_arguments() -> None:
    @tool(title="None", permission="tests.call")
    async def none(call: Call, arguments: NoArguments) -> Content:
        """Take nothing."""
        return Content(blocks=())

    assert orjson.loads(orjson.dumps(none.input_schema))["additionalProperties"] is False
