"""Streams of MCP: what is said before the answer, to whom, and what happens when a connection is lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
import pytest_asyncio
from aiohttp import ClientResponse, ClientSession, web
from pydantic import SecretStr

from rpc_server.app import make_app
from rpc_server.contract import content
from rpc_server.contract.arguments import NoArguments
from rpc_server.contract.content import Content
from rpc_server.contract.errors import MissingCapability, ProtocolError
from rpc_server.contract.tool import Call, Catalog, catalog, tool
from rpc_server.protocol.server_info import ServerInfo
from rpc_server.settings import Settings
from rpc_server.transport import mcp_delivery
from rpc_server.transport.server import Runner
from tests.conftest import SECRET, UNLIMITED, Server
from tests.wire.mcp import EVERY, LEGACY, META, MODERN, McpClient

pytestmark = pytest.mark.asyncio(loop_scope="session")

LOGGING = ServerInfo("streams", "Streams", "1", logs=True)
PATIENCE = 30.0


@dataclass
class Stage:
    """Tools that wait for the test, and what became of them."""

    go: asyncio.Event = field(default_factory=asyncio.Event)
    started: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    ends: list[str] = field(default_factory=list)

    async def wait(self) -> None:
        self.started.set()
        try:
            await asyncio.wait_for(self.go.wait(), PATIENCE)
            self.ends.append("done")
        except asyncio.CancelledError:
            self.ends.append("cancelled")
            raise
        finally:
            self.ended.set()

    @property
    def tools(self) -> Catalog:
        @tool(title="Steps", permission="tests.call", streams=True)
        async def steps(call: Call, arguments: NoArguments) -> Content:
            """Say how far it is, never backwards."""
            for done in (0.2, 0.1, 0.5, 7.0):
                call.progress.report("analyzing", done, f"at {done}")
            return Content(blocks=(content.text("done"),))

        @tool(title="Speak", permission="tests.call")
        async def speak(call: Call, arguments: NoArguments) -> Content:
            """Write log messages."""
            call.client.log("debug", "a detail")
            call.client.log("warning", {"left": 3}, logger="stage")
            return Content(blocks=(content.text("said"),))

        @tool(title="Wait", permission="tests.call")
        async def wait(call: Call, arguments: NoArguments) -> Content:
            """Wait in silence."""
            await self.wait()
            return Content(blocks=(content.text("waited"),))

        @tool(title="Wait aloud", permission="tests.call", streams=True)
        async def wait_aloud(call: Call, arguments: NoArguments) -> Content:
            """Say that it waits, and wait."""
            call.progress.report("analyzing", 0.5, "waiting")
            await self.wait()
            call.progress.report("analyzing", 0.9, "no longer")
            return Content(blocks=(content.text("waited"),))

        @tool(title="Let go", permission="tests.call")
        async def let_go(call: Call, arguments: NoArguments) -> Content:
            """Let the client go, and wait."""
            call.client.release()
            await self.wait()
            return Content(blocks=(content.text("waited"),))

        @tool(title="Large", permission="tests.call", streams=True)
        async def large(call: Call, arguments: NoArguments) -> Content:
            """Answer with more than a mebibyte."""
            return Content(blocks=(content.text("x" * (1024 * 1024 + 1)),))

        @tool(title="Sample", permission="tests.call")
        async def sample(call: Call, arguments: NoArguments) -> Content:
            """Need a client that samples."""
            if "sampling" not in call.client.capabilities:
                raise MissingCapability("sampling")
            return Content(blocks=(content.text("sampled"),))

        @tool(title="Refuse", permission="tests.call")
        async def refuse(call: Call, arguments: NoArguments) -> Content:
            """Refuse by the protocol's rules."""
            raise ProtocolError(-32602, "Not like this.", {"hint": 1})

        return catalog([steps, speak, wait, wait_aloud, let_go, large, sample, refuse])


@asynccontextmanager
async def playing(stage: Stage) -> AsyncIterator[Server]:
    """A server of these tools, without a database."""
    settings = Settings(
        database_url=SecretStr("postgresql://nobody@127.0.0.1:1/none"),
        jwt_secret=SecretStr(SECRET),
        log_level="error",
        **UNLIMITED,
    )
    runner = Runner(make_app(settings, tools=stage.tools, info=LOGGING), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with ClientSession() as session:
            yield Server(f"http://127.0.0.1:{runner.addresses[0][1]}", session)
    finally:
        stage.go.set()
        await runner.cleanup()


@pytest_asyncio.fixture(loop_scope="session")
async def stage() -> Stage:
    return Stage()


@pytest_asyncio.fixture(loop_scope="session")
async def server(stage: Stage) -> AsyncIterator[Server]:
    async with playing(stage) as server:
        yield server


async def soon(event: asyncio.Event) -> None:
    await asyncio.wait_for(event.wait(), PATIENCE)


@asynccontextmanager
async def opened(mcp: McpClient, tool: str, **meta: Any) -> AsyncIterator[ClientResponse]:
    """Call a tool and yield the response as it begins."""
    mcp.known[1] = "tools/call"
    own = {"Mcp_Method": "tools/call", "Mcp_Name": tool} if mcp.is_modern else {}
    data = orjson.dumps(mcp.message("tools/call", {"name": tool}, **meta))
    async with mcp.server.session.post(f"{mcp.server.url}/mcp", data=data, headers=mcp.headers(**own)) as response:
        yield response


async def first_id(response: ClientResponse) -> str:
    """Return the id of the first event that has one."""
    async with asyncio.timeout(PATIENCE):
        async for line in response.content:
            if line.startswith(b"id: "):
                return line[4:].decode().strip()
    raise AssertionError("the stream had no event with an id")


# --- what is said -------------------------------------------------------------------------------


@pytest.mark.parametrize("version", EVERY)
@pytest.mark.parametrize("token", ["p", 0, ""])
async def test_progress_grows_under_its_token_and_ends_with_the_answer(
    server: Server, version: str, token: str | int
) -> None:
    mcp = await McpClient(server, version).start()

    reply = await mcp.call("steps", meta={"progressToken": token})

    assert reply.headers["Content-Type"] == "text/event-stream"
    assert reply.headers["X-Accel-Buffering"] == "no"
    assert [method for method, _ in reply.notes] == ["notifications/progress"] * len(reply.notes)
    figures = [params["progress"] for _, params in reply.notes]
    assert figures == sorted(set(figures))
    assert (figures[0], figures[-1]) == (0, 1)
    assert {params["progressToken"] for _, params in reply.notes} == {token}
    assert "result" in reply.messages[-1]


@pytest.mark.parametrize("version", EVERY)
async def test_who_wants_no_progress_gets_json(server: Server, version: str) -> None:
    mcp = await McpClient(server, version).start()

    reply = await mcp.call("steps")

    assert reply.headers["Content-Type"] == "application/json"
    assert reply.result["content"][0]["text"] == "done"


@pytest.mark.parametrize(
    ("level", "heard"), [(None, []), ("error", []), ("info", ["warning"]), ("debug", ["debug", "warning"])]
)
async def test_log_messages_come_from_the_level_on_that_the_request_names(
    server: Server, level: str | None, heard: list[str]
) -> None:
    meta = {} if level is None else {f"{META}logLevel": level}

    reply = await McpClient(server, MODERN).call("speak", meta=meta)

    assert [params["level"] for _, params in reply.notes] == heard


@pytest.mark.parametrize("version", LEGACY)
async def test_log_messages_come_from_the_level_on_that_the_session_has_set(server: Server, version: str) -> None:
    mcp = await McpClient(server, version).start()
    assert (await mcp.call("speak")).notes == []
    assert (await mcp.ask("logging/setLevel", {"level": "loud"})).code == -32602

    assert (await mcp.ask("logging/setLevel", {"level": "info"})).result == {}

    assert (await mcp.call("speak")).notes == [
        ("notifications/message", {"level": "warning", "logger": "stage", "data": {"left": 3}})
    ]


@pytest.mark.parametrize("version", EVERY)
async def test_a_large_answer_is_json_so_that_clients_with_a_limit_for_events_can_read_it(
    server: Server, version: str
) -> None:
    mcp = await McpClient(server, version).start()

    reply = await mcp.call("large")

    assert reply.headers["Content-Type"] == "application/json"
    assert len(reply.result["content"][0]["text"]) > 1024 * 1024


@pytest.mark.parametrize("version", EVERY)
async def test_a_tool_may_refuse_by_the_protocols_rules(server: Server, version: str) -> None:
    mcp = await McpClient(server, version).start()

    reply = await mcp.call("refuse")

    assert (reply.status, reply.code) == (400 if mcp.is_modern else 200, -32602)
    assert reply.json["error"] == {"code": -32602, "message": "Not like this.", "data": {"hint": 1}}


async def test_a_capability_that_was_not_declared_is_named(server: Server) -> None:
    mcp = McpClient(server, MODERN)

    refused = await mcp.call("sample")
    answered = await mcp.call("sample", meta={f"{META}clientCapabilities": {"sampling": {}}})

    assert (refused.status, refused.code) == (400, -32021)
    assert refused.json["error"]["data"] == {"requiredCapabilities": {"sampling": {}}}
    assert answered.result["content"][0]["text"] == "sampled"


# --- what is lost -------------------------------------------------------------------------------


@pytest.mark.parametrize("tool", ["wait", "wait_aloud"])
async def test_whoever_closes_the_newest_versions_stream_stops_the_work(
    server: Server, stage: Stage, tool: str
) -> None:
    mcp = McpClient(server, MODERN)
    request = asyncio.create_task(_until_closed(mcp, tool))
    await soon(stage.started)

    request.cancel()
    await soon(stage.ended)

    assert stage.ends == ["cancelled"]


async def _until_closed(mcp: McpClient, tool: str) -> None:
    async with opened(mcp, tool, progressToken=1) as response:
        await response.read()


@pytest.mark.parametrize("version", LEGACY)
async def test_a_lost_connection_stops_nothing_in_a_session_and_the_stream_can_be_resumed(
    server: Server, stage: Stage, version: str
) -> None:
    mcp = await McpClient(server, version).start()
    async with opened(mcp, "wait_aloud", progressToken="p") as response:
        last_seen = await first_id(response)
        await soon(stage.started)
        response.close()
    stage.go.set()
    await soon(stage.ended)

    reply = await mcp.send("GET", Last_Event_ID=last_seen, Accept="text/event-stream")

    assert stage.ends == ["done"]
    assert reply.result["content"][0]["text"] == "waited"
    seen = int(last_seen.partition("-")[2])
    assert [int(event["id"].partition("-")[2]) for event in reply.events] == [
        *range(seen + 1, seen + 1 + len(reply.events))
    ]


async def test_a_stream_begins_with_an_empty_event_where_the_version_has_that(server: Server, stage: Stage) -> None:
    stage.go.set()
    for version in EVERY:
        mcp = await McpClient(server, version).start()
        first = (await mcp.call("wait_aloud", meta={"progressToken": 1})).events[0]

        assert (first["data"] == "") is (version == "2025-11-25")
        assert ("retry" in first) is (version == "2025-11-25")
        assert ("id" in first) is (version != MODERN)


async def test_a_client_that_is_let_go_comes_back_for_its_answer(server: Server, stage: Stage) -> None:
    mcp = await McpClient(server, "2025-11-25").start()

    left = await mcp.call("let_go")
    stage.go.set()
    back = await mcp.send("GET", Last_Event_ID=left.events[0]["id"], Accept="text/event-stream")

    assert [event["data"] for event in left.events] == [""]
    assert back.result["content"][0]["text"] == "waited"


async def test_a_client_that_would_not_come_back_is_not_let_go(server: Server, stage: Stage) -> None:
    stage.go.set()
    for version in (MODERN, "2025-03-26", "2025-06-18"):
        mcp = await McpClient(server, version).start()

        assert (await mcp.call("let_go")).headers["Content-Type"] == "application/json"


async def test_a_stream_is_its_own_sessions(server: Server, stage: Stage) -> None:
    stage.go.set()
    mcp = await McpClient(server, "2025-11-25").start()
    id = (await mcp.call("wait_aloud", meta={"progressToken": 1})).events[0]["id"]
    other = await McpClient(server, "2025-11-25").start()

    for last_seen in (id, "x-1", "x", "-", f"{id}x", ""):
        assert (await other.send("GET", Last_Event_ID=last_seen, Accept="text/event-stream")).status == 400
    assert (await mcp.send("GET", Last_Event_ID=id, Accept="application/json")).status == 406
    assert (await mcp.send("GET", Last_Event_ID=id, Accept="text/event-stream", Mcp_Session_Id=None)).status == 400


@pytest.mark.parametrize("version", LEGACY)
@pytest.mark.parametrize("tool", ["wait", "wait_aloud"])
async def test_a_request_can_be_called_off_in_its_session(
    server: Server, stage: Stage, version: str, tool: str
) -> None:
    mcp = await McpClient(server, version).start()
    call = asyncio.create_task(mcp.call(tool, meta={"progressToken": 1}))
    await soon(stage.started)
    other = await McpClient(server, version).start()
    await other.ask("notifications/cancelled", {"requestId": 1}, id=...)
    await mcp.ask("notifications/cancelled", {"requestId": 2}, id=...)
    await mcp.ask("notifications/cancelled", {"requestId": []}, id=...)
    assert stage.ends == []

    assert (await mcp.ask("notifications/cancelled", {"requestId": 1, "reason": "enough"}, id=...)).status == 202

    assert (await asyncio.wait_for(call, PATIENCE)).code == -32800
    assert stage.ends == ["cancelled"]


async def test_ending_a_session_ends_what_runs_in_it(server: Server, stage: Stage) -> None:
    mcp = await McpClient(server, "2025-11-25").start()
    call = asyncio.create_task(mcp.call("wait"))
    await soon(stage.started)

    assert (await mcp.send("DELETE")).status == 204

    assert (await asyncio.wait_for(call, PATIENCE)).code == -32800


async def test_work_that_nobody_waits_for_ends_with_the_server() -> None:
    stage = Stage()
    async with playing(stage) as server:
        mcp = await McpClient(server, "2025-11-25").start()
        call = asyncio.create_task(_until_closed(mcp, "wait"))
        await soon(stage.started)
        call.cancel()
        await asyncio.wait([call])
        assert stage.ends == []
        stage.go = asyncio.Event()  # what waits, waits for the old one

    assert stage.ends == ["cancelled"]


@pytest.mark.parametrize("version", EVERY)
async def test_what_is_silent_for_long_becomes_a_stream_so_that_it_is_not_cut(
    server: Server, stage: Stage, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mcp_delivery, "_SILENT_SECONDS", 0.01)
    monkeypatch.setattr(mcp_delivery, "_PING_SECONDS", 0.01)
    mcp = await McpClient(server, version).start()
    async with opened(mcp, "wait") as response:
        async with asyncio.timeout(PATIENCE):
            while not (await response.content.readline()).startswith(b": ping"):
                pass
        stage.go.set()
        rest = await response.read()

    assert response.content_type == "text/event-stream"
    assert b'"waited"' in rest
