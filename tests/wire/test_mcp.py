"""/mcp in every version: the same tools and the same calls, each in the shape that the version knows."""

import json
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers import CATALOG
from rpc_server.protocol.tool_shapes import CACHE_META
from tests.wire.client import Client
from tests.wire.conftest import Serving
from tests.wire.mcp import EVERY, LEGACY, META, MODERN, McpClient

pytestmark = pytest.mark.asyncio(loop_scope="session")

SOME_ID = "00000000-0000-4000-8000-000000000000"


@pytest_asyncio.fixture(loop_scope="session", params=EVERY)
async def mcp(request: pytest.FixtureRequest, client: Client) -> AsyncIterator[McpClient]:
    """A client of each version, ready to ask."""
    yield await McpClient(client.server, request.param).start()


@pytest_asyncio.fixture(loop_scope="session", params=LEGACY)
async def legacy(request: pytest.FixtureRequest, client: Client) -> AsyncIterator[McpClient]:
    """A client of each version with sessions, in a session."""
    yield await McpClient(client.server, request.param).start()


@pytest_asyncio.fixture(loop_scope="session")
async def modern(client: Client) -> McpClient:
    """A client of the version without sessions."""
    return McpClient(client.server, MODERN)


# --- lists --------------------------------------------------------------------------------------


async def test_the_list_has_every_tool_in_the_same_order_each_time(mcp: McpClient) -> None:
    first, second = await mcp.ask("tools/list"), await mcp.ask("tools/list")

    assert first.status == 200
    assert first.headers["Content-Type"] == "application/json"
    assert first.body == second.body
    assert [tool["name"] for tool in first.result["tools"]] == list(CATALOG)


async def test_the_list_has_what_the_token_grants(mcp: McpClient) -> None:
    mcp.permissions = ("pipelines.view",)

    assert [tool["name"] for tool in (await mcp.ask("tools/list")).result["tools"]] == ["list_pipelines"]


async def test_nobody_has_a_cursor(mcp: McpClient) -> None:
    reply = await mcp.ask("tools/list", {"cursor": "MQ=="})

    assert (reply.status, reply.code) == (400 if mcp.is_modern else 200, -32602)


async def test_the_newest_version_says_how_long_and_for_whom_an_answer_is_good(modern: McpClient) -> None:
    for method in ("tools/list", "server/discover"):
        result = (await modern.ask(method)).result

        assert (result["resultType"], result["cacheScope"]) == ("complete", "private")
        assert result["_meta"][f"{META}serverInfo"]["name"] == "crm-mcp"


async def test_versions_with_sessions_see_nothing_of_that(legacy: McpClient) -> None:
    results = [(await legacy.ask("tools/list")).result, (await legacy.call("list_pipelines")).result]

    for result in results:
        assert not {"resultType", "ttlMs", "cacheScope"} & set(result)
        assert set(result.get("_meta", {})) <= {CACHE_META}


async def test_only_tools_are_offered_and_only_tools_are_there(client: Client) -> None:
    for version in EVERY:
        mcp = McpClient(client.server, version)
        said = (await mcp.ask("server/discover")).result if mcp.is_modern else (await mcp.hello()).result
        await mcp.start()

        assert said["capabilities"] == {"tools": {}}
        for method in ("resources/list", "prompts/list", "logging/setLevel", "completion/complete"):
            reply = await mcp.ask(method)
            assert (reply.status, reply.code) == (404 if mcp.is_modern else 200, -32601)


# --- calls --------------------------------------------------------------------------------------


async def test_a_call_answers_in_words_and_in_fields(mcp: McpClient) -> None:
    result = (await mcp.call("get_leads_count", {"period": "all"})).result

    assert result["isError"] is False
    if mcp.version == "2025-03-26":
        assert "structuredContent" not in result
        fields = json.loads(result["content"][1]["text"])
    else:
        fields = result["structuredContent"]
    assert str(fields["total_leads"]) in result["content"][0]["text"]
    assert set(fields) == set(CATALOG["get_leads_count"].output_schema["properties"])  # type: ignore[index]


@pytest.mark.parametrize(
    ("tool", "arguments", "code"),
    [
        ("get_leads_count", {"period": "fortnight", "colour": "red"}, "invalid_arguments"),
        ("get_contact", {"contact_id": SOME_ID}, "not_found"),
    ],
)
async def test_what_goes_wrong_in_a_tool_is_an_answer_of_the_tool(
    mcp: McpClient, tool: str, arguments: Any, code: str
) -> None:
    reply = await mcp.call(tool, arguments)

    assert (reply.status, reply.result["isError"]) == (200, True)
    assert reply.result["content"][0]["text"].startswith(f"{code}: ")
    if mcp.version != "2025-03-26":
        assert reply.result["structuredContent"]["code"] == code


async def test_an_unknown_tool_is_an_error_of_the_protocol(mcp: McpClient) -> None:
    reply = await mcp.call("get_everything")

    assert (reply.status, reply.code) == (400 if mcp.is_modern else 200, -32602)
    assert reply.json["error"]["data"]["tools"] == list(CATALOG)


@pytest.mark.parametrize("params", [{}, {"name": 1}, {"name": "list_agents", "arguments": []}, [], ["list_agents"]])
async def test_params_that_do_not_fit_are_an_error_of_the_protocol(mcp: McpClient, params: Any) -> None:
    reply = await mcp.ask("tools/call", params, Mcp_Name="list_agents")

    assert (reply.status, reply.code) == (400 if mcp.is_modern else 200, -32602)


async def test_a_refused_call_is_403_and_names_the_scope(mcp: McpClient) -> None:
    mcp.permissions = ("contacts.view",)

    reply = await mcp.call("list_pipelines")

    assert reply.status == 403
    assert 'error="insufficient_scope", scope="pipelines.view"' in reply.headers["WWW-Authenticate"]
    assert reply.json["error"]["data"]["code"] == "permission_denied"
    assert "does not grant" in reply.json["error"]["message"]
    assert reply.json["id"] == 1


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
async def test_without_a_token_it_is_401_before_anything_else(mcp: McpClient, method: str) -> None:
    reply = await mcp.send(method, b"{" if method == "POST" else None, Authorization=None)

    assert reply.status == 401
    assert reply.headers["WWW-Authenticate"] == 'Bearer realm="crm-mcp"'
    # An error of JSON-RPC, because clients show the text of no other.
    assert (reply.json["jsonrpc"], reply.json["error"]["data"]) == ("2.0", {"code": "unauthenticated"})
    assert "send 'Authorization: Bearer" in reply.json["error"]["message"]


# --- messages -----------------------------------------------------------------------------------


@pytest.mark.parametrize("id", ["0", '""', "-1", "18446744073709551616", '"0"', '"é"', f'"{"x" * 256}"'])
async def test_an_id_comes_back_as_it_was_sent(mcp: McpClient, id: str) -> None:
    message = json.dumps(mcp.message("tools/list", id=987654321)).replace("987654321", id).encode()
    mcp.known[json.loads(id)] = "tools/list"

    reply = await mcp.post(message, Mcp_Method="tools/list")
    failure = await mcp.post(message.replace(b"tools/list", b"tools/lost"), Mcp_Method="tools/lost")

    assert reply.body.endswith(f'"id":{id}}}'.encode())
    assert failure.body.endswith(f'"id":{id}}}'.encode())


@pytest.mark.parametrize("id", ["null", "1.5", "true", "[]", "{}", f'"{"x" * 257}"'])
async def test_what_is_no_id_is_an_invalid_request_without_one(mcp: McpClient, id: str) -> None:
    message = json.dumps(mcp.message("tools/list", id=987654321)).replace("987654321", id).encode()

    reply = await mcp.post(message, Mcp_Method="tools/list")

    assert (reply.status, reply.code) == (400, -32600)
    assert "id" not in reply.json


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", -32700),
        (b"", -32700),
        (b"\xff", -32700),
        (b"1", -32600),
        (b"[]", -32600),
        (b"[" * 70, -32600),
        (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":1}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":5}', -32600),
    ],
)
async def test_what_is_no_message_is_400(mcp: McpClient, body: bytes, code: int) -> None:
    reply = await mcp.post(body)

    assert (reply.status, reply.code) == (400, code)


@pytest.mark.parametrize("method", ["notifications/initialized", "notifications/roots/list_changed", "no/such", "ping"])
async def test_a_notification_is_202_without_a_body(mcp: McpClient, method: str) -> None:
    reply = await mcp.ask(method, id=...)

    assert (reply.status, reply.body) == (202, b"")


async def test_a_posted_response_is_202_in_a_session_and_refused_without(mcp: McpClient) -> None:
    reply = await mcp.post({"jsonrpc": "2.0", "id": 7, "result": {}})

    assert reply.status == (400 if mcp.is_modern else 202)


@pytest.mark.parametrize("accept", [None, "application/json", "text/event-stream", "text/html", "*/*;q=0"])
async def test_who_does_not_take_both_kinds_of_answer_gets_406(mcp: McpClient, accept: str | None) -> None:
    # The library sends */* where nothing is said.
    reply = await mcp.ask("tools/list", Accept=accept or "")

    assert (reply.status, reply.code) == (406, -32600)


@pytest.mark.parametrize(
    "accept", ["*/*", "text/event-stream,application/json;q=0.5", "APPLICATION/JSON, text/*", "application/*, text/*"]
)
async def test_ranges_of_kinds_are_understood(mcp: McpClient, accept: str) -> None:
    assert (await mcp.ask("tools/list", Accept=accept)).status == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp"])
async def test_another_kind_of_body_is_415(mcp: McpClient, kind: str) -> None:
    assert (await mcp.ask("tools/list", Content_Type=kind)).status == 415


async def test_a_charset_is_no_other_kind(mcp: McpClient) -> None:
    assert (await mcp.ask("tools/list", Content_Type="application/json; charset=utf-8")).status == 200


async def test_a_body_over_the_limit_is_413(mcp: McpClient) -> None:
    assert (await mcp.post(b" " * (1024 * 1024 + 1))).status == 413


@pytest.mark.parametrize(("method", "allowed"), [("PUT", "DELETE,GET,POST"), ("PATCH", "DELETE,GET,POST")])
async def test_other_methods_of_http_are_405_and_told_which_are_allowed(
    mcp: McpClient, method: str, allowed: str
) -> None:
    reply = await mcp.send(method)

    assert (reply.status, reply.headers["Allow"]) == (405, allowed)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_the_newest_version_has_only_post(modern: McpClient, method: str) -> None:
    reply = await modern.send(method, Last_Event_ID="x-1")

    assert (reply.status, reply.headers["Allow"]) == (405, "POST")


async def test_there_is_no_stream_of_things_that_nobody_asked_for(legacy: McpClient) -> None:
    reply = await legacy.send("GET", Accept="text/event-stream")

    assert (reply.status, reply.headers["Allow"]) == (405, "DELETE,POST")


# --- the newest version -------------------------------------------------------------------------


async def test_the_newest_version_needs_no_session_and_begins_none(modern: McpClient) -> None:
    reply = await modern.ask("tools/list", Mcp_Session_Id="not one of ours")

    assert reply.status == 200
    assert "Mcp-Session-Id" not in reply.headers


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"MCP_Protocol_Version": None}, -32020),
        ({"Mcp_Method": None}, -32020),
        ({"Mcp_Method": "tools/call"}, -32020),
        ({"MCP_Protocol_Version": "1999-01-01"}, -32020),
    ],
)
async def test_headers_repeat_the_body(modern: McpClient, changed: dict[str, str | None], code: int) -> None:
    reply = await modern.ask("tools/list", **changed)

    assert (reply.status, reply.code, reply.json["id"]) == (400, code, 1)


async def test_a_header_that_comes_twice_is_refused(modern: McpClient) -> None:
    headers = modern.headers(Mcp_Method="tools/list")
    headers.add("Mcp-Method", "tools/list")
    data = orjson.dumps(modern.message("tools/list"))

    async with modern.server.session.post(f"{modern.server.url}/mcp", data=data, headers=headers) as response:
        assert (response.status, (await response.json())["error"]["code"]) == (400, -32020)


@pytest.mark.parametrize(
    ("name", "status"), [("=?base64?bGlzdF9hZ2VudHM=?=", 200), ("=?base64?bGlzdF9hZ2VudHM?=", 400)]
)
async def test_a_name_may_be_packed(modern: McpClient, name: str, status: int) -> None:
    assert (await modern.call("list_agents", Mcp_Name=name)).status == status


async def test_a_version_from_the_future_is_told_which_there_are(modern: McpClient) -> None:
    message = modern.message("tools/list", **{f"{META}protocolVersion": "2099-01-01"})

    reply = await modern.post(message, Mcp_Method="tools/list", MCP_Protocol_Version="2099-01-01")

    assert (reply.status, reply.code) == (400, -32022)
    assert reply.json["error"]["data"] == {"requested": "2099-01-01", "supported": EVERY[::-1]}


@pytest.mark.parametrize("method", ["initialize", "ping", "logging/setLevel", "subscriptions/listen", "foo"])
async def test_removed_methods_are_404(modern: McpClient, method: str) -> None:
    reply = await modern.ask(method)

    assert (reply.status, reply.code) == (404, -32601)


async def test_the_newest_version_has_no_batches(modern: McpClient) -> None:
    reply = await modern.post([modern.message("tools/list")], Mcp_Method="tools/list")

    assert (reply.status, reply.code) == (400, -32600)


# --- anything -----------------------------------------------------------------------------------

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
versions = st.sampled_from([*EVERY, "2024-11-05", "x", None])
messages = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0")},
    optional={
        "id": anything,
        "method": st.sampled_from(["tools/list", "tools/call", "ping", "initialize", "server/discover", "x"]),
        "params": st.dictionaries(st.sampled_from(["_meta", "name", "arguments", "cursor"]), anything),
        "result": anything,
    },
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    body=st.binary(max_size=200)
    | anything.map(lambda value: json.dumps(value).encode())
    | messages.map(lambda value: json.dumps(value).encode())
    | st.lists(messages, max_size=4).map(lambda value: json.dumps(value).encode()),
    version=versions,
    method=st.sampled_from(["POST", "GET", "DELETE"]),
    in_session=st.booleans(),
)
async def test_whatever_is_sent_gets_an_answer_and_never_a_500(
    client: Client, body: bytes, version: str | None, method: str, in_session: bool
) -> None:
    mcp = await McpClient(client.server, "2025-03-26").start()
    headers = mcp.headers(MCP_Protocol_Version=version, **({} if in_session else {"Mcp_Session_Id": None}))

    async with mcp.server.session.request(method, f"{mcp.server.url}/mcp", data=body, headers=headers) as response:
        answer = await response.read()

    assert response.status < 500
    assert b"Traceback" not in answer


async def test_replicas_list_the_same_whatever_their_settings(serving: Serving) -> None:
    async with serving(max_batch=1) as one, serving() as other:
        lists = [await McpClient(client.server, MODERN).ask("tools/list") for client in (one, other)]

    assert lists[0].body == lists[1].body
