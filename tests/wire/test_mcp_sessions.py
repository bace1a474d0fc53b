"""Sessions of MCP: begun, bound to their caller, ended, and the same on every replica; batches where they are."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from pydantic import SecretStr

from tests.wire.client import Client
from tests.wire.conftest import Serving
from tests.wire.mcp import LEGACY, McpClient

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session", params=LEGACY)
async def mcp(request: pytest.FixtureRequest, client: Client) -> AsyncIterator[McpClient]:
    """A client of each version with sessions, in a session."""
    yield await McpClient(client.server, request.param).start()


@pytest.mark.parametrize(
    ("asked", "agreed"),
    [
        *((version, version) for version in LEGACY),
        ("2024-11-05", LEGACY[-1]),
        ("2026-07-28", LEGACY[-1]),
        ("x", LEGACY[-1]),
    ],
)
async def test_a_handshake_agrees_upon_a_version(client: Client, asked: str, agreed: str) -> None:
    reply = await McpClient(client.server, agreed).hello(asked)

    assert (reply.status, reply.result["protocolVersion"], reply.json["id"]) == (200, agreed, 0)
    assert reply.headers["Mcp-Session-Id"].isascii()


async def test_a_failed_handshake_begins_no_session(client: Client) -> None:
    reply = await McpClient(client.server, LEGACY[-1]).ask("initialize", {"protocolVersion": 1})

    assert (reply.status, reply.code) == (200, -32602)
    assert "Mcp-Session-Id" not in reply.headers


async def test_a_ping_is_answered_with_nothing(mcp: McpClient) -> None:
    assert (await mcp.ask("ping")).result == {}


async def test_without_a_session_it_is_400(mcp: McpClient) -> None:
    for method, data in (("POST", b'{"jsonrpc":"2.0","id":1,"method":"ping"}'), ("DELETE", None)):
        reply = await mcp.send(method, data, Mcp_Session_Id=None)

        assert (reply.status, reply.code) == (400, -32600)


@pytest.mark.parametrize("who", [{"tenant": "another"}, {"user": "another"}])
async def test_somebody_elses_session_is_404(mcp: McpClient, who: dict[str, str]) -> None:
    other = McpClient(mcp.server, mcp.version, **who)
    other.session = mcp.session

    assert (await other.ask("ping")).status == 404
    assert (await other.send("DELETE")).status == 404
    assert (await mcp.ask("ping")).status == 200


@pytest.mark.parametrize("id", ["x", "0" * 62, "x" * 300])
async def test_an_unknown_session_is_404(mcp: McpClient, id: str) -> None:
    reply = await mcp.ask("ping", Mcp_Session_Id=id)

    assert (reply.status, reply.code) == (404, -32600)


async def test_an_ended_session_is_404_and_others_go_on(mcp: McpClient) -> None:
    other = await McpClient(mcp.server, mcp.version).start()

    assert (await mcp.send("DELETE")).status == 204

    assert (await mcp.ask("ping")).status == 404
    assert (await mcp.send("DELETE")).status == 404
    assert (await other.ask("ping")).status == 200


@pytest.mark.parametrize("version", [*LEGACY, None])
async def test_the_session_says_which_version_is_spoken_not_the_header(mcp: McpClient, version: str | None) -> None:
    assert (await mcp.ask("ping", MCP_Protocol_Version=version)).result == {}


@pytest.mark.parametrize("version", ["1999-01-01", "2024-11-05", "2025-11-25, 2025-11-25", ""])
async def test_a_version_that_is_none_is_400(mcp: McpClient, version: str) -> None:
    reply = await mcp.ask("ping", MCP_Protocol_Version=version)

    assert reply.status == 400


# --- batches ------------------------------------------------------------------------------------


@pytest_asyncio.fixture(loop_scope="session")
async def first(client: Client) -> McpClient:
    """A client of the version that has batches."""
    return await McpClient(client.server, "2025-03-26").start()


def ping(id: Any = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "method": "ping"}


async def test_a_batch_is_answered_in_its_order_and_only_where_an_answer_is_due(first: McpClient) -> None:
    reply = await first.post(
        [
            ping("a"),
            {"jsonrpc": "2.0", "method": "notifications/initialized"},
            {"jsonrpc": "2.0", "id": 5, "result": {}},
            {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "list_pipelines"}},
            {"jsonrpc": "2.0", "id": 3, "method": "no/such"},
            {"id": 4, "method": "ping"},
        ]
    )

    assert reply.status == 200
    assert [(answer["id"], "error" in answer) for answer in reply.json] == [
        ("a", False),
        (2, False),
        (3, True),
        (4, True),
    ]


async def test_a_refused_member_of_a_batch_is_its_own_failure(first: McpClient) -> None:
    first.permissions = ("pipelines.view",)
    call = {"jsonrpc": "2.0", "method": "tools/call"}

    reply = await first.post(
        [{**call, "id": n, "params": {"name": name}} for n, name in enumerate(("list_agents", "list_pipelines"))]
    )

    assert reply.status == 200
    assert [answer["result"]["isError"] for answer in reply.json] == [True, False]


async def test_a_batch_that_wants_no_answer_is_202(first: McpClient) -> None:
    reply = await first.post([{"jsonrpc": "2.0", "method": "notifications/initialized"}] * 2)

    assert (reply.status, reply.body) == (202, b"")


async def test_no_handshake_stands_in_a_batch(first: McpClient) -> None:
    for session in (first.session, None):
        reply = await first.post([{"jsonrpc": "2.0", "id": 1, "method": "initialize"}], Mcp_Session_Id=session)

        assert (reply.status, reply.code) == (400, -32600)


async def test_later_versions_have_no_batches(client: Client) -> None:
    for version in LEGACY[1:]:
        mcp = await McpClient(client.server, version).start()

        assert (await mcp.post([ping()])).status == 400


async def test_a_batch_is_bounded(first: McpClient) -> None:
    reply = await first.post([ping(n) for n in range(51)])

    assert (reply.status, reply.code) == (400, -32600)


# --- replicas -----------------------------------------------------------------------------------


async def test_any_replica_serves_any_session(serving: Serving) -> None:
    async with serving() as one, serving() as other:
        for version in LEGACY:
            mcp = await McpClient(one.server, version).start()
            for server in (other.server, one.server, other.server):
                mcp.server = server
                assert (await mcp.call("list_pipelines")).result["isError"] is False


async def test_a_replica_with_another_secret_does_not(serving: Serving) -> None:
    async with serving(session_secret=SecretStr("a" * 32)) as one, serving(session_secret=SecretStr("b" * 32)) as other:
        mcp = await McpClient(one.server, LEGACY[-1]).start()
        assert (await mcp.ask("ping")).status == 200
        mcp.server = other.server

        assert (await mcp.ask("ping")).status == 404


async def test_a_short_session_secret_stops_the_server(serving: Serving) -> None:
    with pytest.raises(ValueError, match="SESSION_SECRET must have at least 32 bytes"):
        async with serving(session_secret=SecretStr("short")):
            pass
