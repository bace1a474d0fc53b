"""MCP 2025-03-26 to 2025-11-25: the handshake, batches, and what of a tool each version sees."""

import json
from typing import Any

import pytest

from rpc_server.contract import content
from rpc_server.contract.arguments import NoArguments
from rpc_server.contract.content import Content
from rpc_server.contract.errors import FieldProblem, InvalidArguments
from rpc_server.contract.result import Result
from rpc_server.contract.tool import Call, tool
from rpc_server.protocol import mcp_legacy
from rpc_server.protocol.errors import Refusal
from rpc_server.protocol.jsonrpc import Fault, Parsed, Request
from rpc_server.protocol.mcp_message import error_message, parse
from rpc_server.protocol.server_info import ServerInfo, is_heard
from rpc_server.protocol.sieve import call_failure, call_result, listed_tool
from rpc_server.protocol.versions import V2025_03_26, V2025_06_18, V2025_11_25, V2026_07_28, VERSIONS, Version

INFO = ServerInfo("a-server", "A server", "1.2.3", "Ask politely.")


def hello(version: Any, **changed: Any) -> Request:
    params = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "me", "version": "0"}, **changed}
    return Request("initialize", {key: value for key, value in params.items() if value is not ...}, 0)


def parsed(*members: Any) -> Parsed:
    body = [{"jsonrpc": "2.0", **member} for member in members]
    return parse(json.dumps(body).encode(), max_batch=10, max_depth=8)


@pytest.mark.parametrize(
    ("asked", "agreed"),
    [
        ("2025-03-26", "2025-03-26"),
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-11-25"),
        ("2024-11-05", "2025-11-25"),
        ("2026-07-28", "2025-11-25"),
        ("1999-01-01", "2025-11-25"),
        ("", "2025-11-25"),
    ],
)
def test_a_known_version_is_agreed_upon_and_else_the_latest_with_a_handshake(asked: str, agreed: str) -> None:
    version, result = mcp_legacy.initialized(hello(asked), INFO)

    assert (version.name, result["protocolVersion"]) == (agreed, agreed)
    assert (result["capabilities"], result["instructions"]) == ({"tools": {}}, "Ask politely.")


def test_titles_of_servers_came_with_the_second_version() -> None:
    first, second = (
        mcp_legacy.initialized(hello(name), INFO)[1]["serverInfo"] for name in ("2025-03-26", "2025-06-18")
    )

    assert first == {"name": "a-server", "version": "1.2.3"}
    assert second == {**first, "title": "A server"}


def test_what_is_not_offered_is_not_named() -> None:
    offering = ServerInfo("a", "A", "1", logs=True, lists=("prompts", "resources"))

    assert INFO.empty_lists == {}
    assert offering.capabilities == {"tools": {}, "prompts": {}, "resources": {}, "logging": {}}
    assert sorted(offering.empty_lists) == ["prompts/list", "resources/list", "resources/templates/list"]


@pytest.mark.parametrize(
    "request_",
    [
        hello(...),
        hello(20251125),
        hello("2025-11-25", capabilities=...),
        hello("2025-11-25", clientInfo="me"),
        Request("initialize", ["2025-11-25"], 1),
    ],
)
def test_a_handshake_that_lacks_something_is_refused(request_: Request) -> None:
    with pytest.raises(Refusal) as caught:
        mcp_legacy.initialized(request_, INFO)

    assert caught.value.code == -32602


def test_only_the_first_version_has_batches_and_none_has_a_handshake_in_one() -> None:
    ping, start = {"id": 1, "method": "ping"}, {"id": 2, "method": "initialize"}
    mcp_legacy.check_batch(parsed(ping, ping), V2025_03_26)

    for version, members in ((V2025_06_18, [ping]), (V2025_11_25, [ping]), (V2025_03_26, [ping, start])):
        with pytest.raises(Refusal) as caught:
            mcp_legacy.check_batch(parsed(*members), version)
        assert caught.value.code == -32600


def test_requests_and_faults_want_an_answer_and_notifications_and_responses_do_not() -> None:
    members = parsed(
        {"id": 1, "method": "ping"},
        {"method": "notifications/initialized"},
        {"id": 1, "result": {}},
        {"id": 1, "error": {"code": 1, "message": "no"}},
        {"id": 1},
    ).members

    assert [mcp_legacy.wants_answer(member) for member in members] == [True, False, False, False, True]


@pytest.mark.parametrize("id", ["0", '""', "-1", "18446744073709551616", '"é"', "9007199254740993"])
def test_an_id_is_kept_as_it_was_sent(id: str) -> None:
    body = f'{{"jsonrpc":"2.0","method":"ping","id":{id}}}'.encode()

    (member,) = parse(body, max_batch=1, max_depth=4).members

    assert isinstance(member, Request)
    assert str(member.id) == str(json.loads(id))


@pytest.mark.parametrize("id", ["null", "1.5", "1e3", "true", "[]"])
def test_what_mcp_does_not_take_for_an_id_is_an_invalid_request(id: str) -> None:
    body = f'{{"jsonrpc":"2.0","method":"ping","id":{id}}}'.encode()

    (member,) = parse(body, max_batch=1, max_depth=4).members

    assert isinstance(member, Fault)
    assert (member.code, member.id) == (-32600, None)


def test_an_error_without_a_known_id_has_none() -> None:
    assert "id" not in error_message(None, -32700, "no")
    assert error_message(0, -32600, "no")["id"] == 0
    assert error_message("", -32600, "no")["id"] == ""


@pytest.mark.parametrize(
    ("level", "least", "heard"), [("info", "info", True), ("debug", "info", False), ("alert", None, False)]
)
def test_log_messages_are_heard_from_the_wanted_level_on(level: str, least: str | None, heard: bool) -> None:
    assert is_heard(level, least) is heard


@pytest.mark.parametrize("level", [None, "loud", 3, [], {}])
def test_a_level_that_is_none_is_refused(level: Any) -> None:
    with pytest.raises(Refusal):
        mcp_legacy.log_level({"level": level})


# --- the sieve ----------------------------------------------------------------------------------


class Count(Result):
    """A number."""

    number: int

    def text(self) -> str:
        return f"There are {self.number}."


@tool(title="Count", permission="tests.call")
async def count(call: Call, arguments: NoArguments) -> Count:
    """Count."""
    return Count(number=3)


@tool(title="Show", permission="tests.call")
async def show(call: Call, arguments: NoArguments) -> Content:
    """Show."""
    return Content(blocks=())


@pytest.mark.parametrize("version", VERSIONS.values(), ids=str)
def test_each_version_sees_the_fields_of_a_tool_that_it_knows(version: Version) -> None:
    first = {"name", "description", "inputSchema", "annotations"}

    assert set(listed_tool(count, version)) == (first | {"title", "outputSchema"} if version.has_structure else first)
    assert set(listed_tool(show, version)) == (first | {"title"} if version.has_structure else first)


def test_fields_that_have_no_place_of_their_own_stand_in_a_text() -> None:
    first, later = (call_result(Count(number=3), version) for version in (V2025_03_26, V2025_06_18))

    assert first == {
        "content": [{"type": "text", "text": "There are 3."}, {"type": "text", "text": '{"number":3}'}],
        "isError": False,
    }
    assert later["content"] == first["content"][:1]
    assert json.loads(json.dumps(later, default=lambda _: "as it stands"))["structuredContent"] == "as it stands"


@pytest.mark.parametrize("version", VERSIONS.values(), ids=str)
def test_a_failure_is_readable_and_has_a_code_in_every_version(version: Version) -> None:
    error = InvalidArguments([FieldProblem("period", "is required")])

    shown = call_failure(error, version)

    assert shown["isError"] is True
    assert shown["content"][0]["text"] == "invalid_arguments: Invalid arguments. period: is required."
    fields = shown["structuredContent"] if version.has_structure else json.loads(shown["content"][1]["text"])
    assert (fields["code"], fields["fields"][0]["field"]) == ("invalid_arguments", "period")


def test_links_came_with_the_second_version() -> None:
    result = Content(blocks=(content.link("crm://lead/1", "a lead"), content.text("Look.")))

    assert [block["type"] for block in call_result(result, V2025_03_26)["content"]] == ["text", "text"]
    assert [block["type"] for block in call_result(result, V2026_07_28)["content"]] == ["resource_link", "text"]
    assert "structuredContent" not in call_result(result, V2026_07_28)
