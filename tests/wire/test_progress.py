"""A tool that streams, over HTTP: whoever called it, and whoever watches."""

import asyncio
import gc
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import orjson
import pytest
from aiohttp import ClientResponse, ClientSession, TCPConnector
from pydantic import Field

from rpc_server.calls.streams import CallStream, Gauge
from rpc_server.contract.arguments import Arguments
from rpc_server.contract.errors import NotFound
from rpc_server.contract.query import query
from rpc_server.contract.result import Result
from rpc_server.contract.tool import Call, catalog, tool
from rpc_server.transport import connection, progress
from tests.conftest import Server
from tests.wire.client import PATIENCE, Client
from tests.wire.conftest import Serving

SLEEP = query("sleep", Path(__file__).parent)


class Steps(Arguments):
    """How the tool is to behave."""

    steps: Annotated[int, Field(ge=1, le=1000)] = 3
    names: Annotated[list[str] | None, Field(max_length=5)] = None
    size: Annotated[int, Field(ge=0, le=100_000)] = 0


class Counted(Result):
    """What it answers."""

    steps: int
    names: list[str]

    def text(self) -> str:
        return str(self.steps)


class Gates:
    """Lets the test hold a call and let it go on."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.reached = asyncio.Event()


GATES: dict[str, Gates] = {}


@tool(title="Count", permission="analytics.view", streams=True)
async def count(call: Call, arguments: Steps) -> Counted:
    """Count."""
    for step in range(arguments.steps):
        if step == 1 and (gates := GATES.get(call.request_id)):
            gates.reached.set()
            await gates.open.wait()
        call.progress.report("analyzing", step / arguments.steps, f"Step {step}.", text="x" * arguments.size)
        await asyncio.sleep(0)
    return Counted(steps=arguments.steps, names=arguments.names or [])


@tool(title="Query", permission="analytics.view", streams=True)
async def run_query(call: Call, arguments: Steps) -> Counted:
    """Run a query that does not end."""
    await call.db.all(SLEEP)
    raise AssertionError("it ended")


@tool(title="Hurry", permission="analytics.view", streams=True, timeout_seconds=0.5)
async def run_short(call: Call, arguments: Steps) -> Counted:
    """Run a query that takes longer than it may."""
    await call.db.all(SLEEP)
    raise AssertionError("it ended")


@tool(title="Fail", permission="analytics.view", streams=True)
async def fail(call: Call, arguments: Steps) -> Counted:
    """Fail in the middle."""
    call.progress.report("analyzing", 0.5, "Half of it.")
    raise NotFound("There is no such thing.")


@tool(title="Break", permission="analytics.view", streams=True)
async def crash(call: Call, arguments: Steps) -> Counted:
    """Crash in the middle."""
    raise RuntimeError("the secret of the database")


@tool(title="Plain", permission="analytics.view")
async def plain(call: Call, arguments: Steps) -> Counted:
    """Do not stream."""
    return Counted(steps=1, names=[])


TOOLS = catalog((count, run_query, run_short, fail, crash, plain))


@pytest.fixture
async def toys(serving: Serving) -> AsyncIterator[Client]:
    GATES.clear()
    async with serving(tools=TOOLS, progress_wait_seconds=0.2) as client:
        yield client


def held(request_id: str) -> Gates:
    GATES[request_id] = Gates()
    return GATES[request_id]


@asynccontextmanager
async def opened(
    client: Client, path: str, *, request_id: str | None = None, tenant: str = "demo", **headers: str
) -> AsyncIterator[ClientResponse]:
    sent = client.server.bearer(tenant) | headers
    if request_id:
        sent["X-Request-Id"] = request_id
    async with client.server.session.get(f"{client.server.url}{path}", headers=sent) as response:
        yield response


async def events(response: ClientResponse) -> list[dict[str, Any]]:
    """Read a stream to its end."""
    assert response.status == 200, await response.text()
    assert response.headers["Content-Type"] == "text/event-stream"
    async with asyncio.timeout(3 * PATIENCE):
        return parsed(await response.read())


def parsed(stream: bytes) -> list[dict[str, Any]]:
    found = []
    for block in stream.decode().split("\r\n\r\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\r\n") if ": " in line and not line.startswith(":"))
        if "data" in fields:
            found.append(orjson.loads(fields["data"]) | {"id": int(fields["id"])})
    return found


async def stages(client: Client, path: str, **options: Any) -> list[str]:
    async with opened(client, path, **options) as response:
        return [event["stage"] for event in await events(response)]


async def test_a_stream_tells_how_far_the_call_is_and_ends_with_the_result(toys: Client) -> None:
    async with opened(toys, "/v1/tools/count/stream?steps=4&names=a,b", request_id="mine") as response:
        told = await events(response)

    assert [event["stage"] for event in told] == ["starting", *["analyzing"] * 4, "done"]
    assert [event["id"] for event in told] == [1, 2, 3, 4, 5, 6]
    figures = [event["progress"] for event in told]
    assert figures == sorted(set(figures)) and figures[0] == 0 and figures[-1] == 1
    assert told[-1]["data"]["result"] == {"steps": 4, "names": ["a", "b"]}
    assert set(told[0]) == {"id", "stage", "progress", "message", "data", "timestamp"}
    assert response.headers["X-Accel-Buffering"] == "no"
    assert response.headers["X-Request-Id"] == "mine"
    assert response.headers["Server"] == "crm-mcp"


async def test_a_stream_can_be_asked_for_by_post(toys: Client) -> None:
    url = f"{toys.server.url}/v1/tools/count/stream"
    body = orjson.dumps({"steps": 2, "names": ["a", "b"]})
    async with toys.server.session.post(url, data=body, headers=toys.server.bearer("demo")) as response:
        told = await events(response)

    assert told[-1]["data"]["result"] == {"steps": 2, "names": ["a", "b"]}


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/tools/plain/stream", 400, "invalid_arguments"),
        ("/v1/tools/nothing/stream", 404, "not_found"),
        ("/v1/tools/count/stream?steps=many", 400, "invalid_arguments"),
        ("/v1/tools/count/stream?steps=0&size=-1&other=1", 400, "invalid_arguments"),
        ("/progress/nothing", 404, "not_found"),
    ],
)
async def test_what_is_wrong_before_a_stream_begins_is_a_status(
    toys: Client, path: str, status: int, code: str
) -> None:
    answer = await toys.send("GET", path)

    assert (answer.status, answer.error["code"]) == (status, code)


async def test_a_stream_needs_the_tools_permission(toys: Client) -> None:
    answer = await toys.send("GET", "/v1/tools/count/stream", permissions=("contacts.view",))
    assert answer.status == 403
    assert 'scope="analytics.view"' in answer.headers["WWW-Authenticate"]
    assert (await toys.send("GET", "/v1/tools/count/stream", permissions=None)).status == 401
    assert (await toys.send("GET", "/progress/x", permissions=None)).status == 401


async def test_an_unreadable_event_id_is_said_to_be_one(toys: Client) -> None:
    answer = await toys.send("GET", "/progress/nothing", headers={"Last-Event-ID": "seven"})
    assert (answer.status, answer.error["fields"][0]["field"]) == (400, "Last-Event-ID")


async def test_what_goes_wrong_after_a_stream_has_begun_is_its_last_event(toys: Client) -> None:
    async with opened(toys, "/v1/tools/fail/stream") as response:
        told = await events(response)
    assert [event["stage"] for event in told] == ["starting", "analyzing", "error"]
    assert told[-1]["data"]["code"] == "not_found"
    assert told[-1]["message"] == "There is no such thing."
    assert told[1]["progress"] < told[2]["progress"] < 1

    async with opened(toys, "/v1/tools/crash/stream") as response:
        told = await events(response)
    assert told[-1]["data"]["code"] == "internal"
    assert told[-1]["data"]["incident"]
    assert b"secret" not in orjson.dumps(told)


async def test_all_watchers_see_the_same_early_or_late(toys: Client) -> None:
    gates = held("mine")
    early = asyncio.create_task(stages(toys, "/progress/mine"))
    await asyncio.sleep(0.05)
    own = asyncio.create_task(stages(toys, "/v1/tools/count/stream", request_id="mine"))
    await gates.reached.wait()
    during = asyncio.create_task(stages(toys, "/progress/mine"))
    await asyncio.sleep(0.05)
    gates.open.set()
    told = await own

    assert told == ["starting", "analyzing", "analyzing", "analyzing", "done"]
    assert await early == told
    assert await during == told
    assert await stages(toys, "/progress/mine") == told
    assert await stages(toys, "/progress/mine", **{"Last-Event-ID": "4"}) == ["done"]
    assert (await toys.send("GET", "/progress/mine", headers={"Last-Event-ID": "5"})).status == 204


async def test_a_call_of_json_rpc_is_watched_by_its_ids(toys: Client) -> None:
    gates = held("mine")
    body = {
        "jsonrpc": "2.0",
        "id": 77,
        "method": "tools/call",
        "params": {"name": "count", "arguments": {}, "_meta": {"progressToken": "token-1"}},
    }
    headers = toys.server.bearer("demo") | {"X-Request-Id": "mine"}
    calling = asyncio.create_task(toys.server.rpc(body, headers))
    await gates.reached.wait()
    watching = [asyncio.create_task(stages(toys, f"/progress/{name}")) for name in ("mine", "77", "token-1")]
    await asyncio.sleep(0.05)
    gates.open.set()

    assert (await calling)[1]["result"]["structuredContent"]["steps"] == 3
    assert {tuple(told) for told in await asyncio.gather(*watching)} == {
        ("starting", "analyzing", "analyzing", "analyzing", "done")
    }


async def test_each_call_of_a_batch_is_watched_by_its_own_id(toys: Client) -> None:
    params = {"name": "count", "arguments": {"steps": 1}}
    batch = [{"jsonrpc": "2.0", "id": f"part-{n}", "method": "tools/call", "params": params} for n in (1, 2)]
    _, answers = await toys.server.rpc(batch, toys.server.bearer("demo") | {"X-Request-Id": "batch"})

    assert not [answer for answer in answers if answer["result"]["isError"]]
    for name in ("part-1", "part-2", "batch.1", "batch.2"):
        assert (await stages(toys, f"/progress/{name}"))[-1] == "done"


async def test_a_running_request_id_cannot_be_used_twice_and_an_ambiguous_alias_not_watched(toys: Client) -> None:
    first, second = held("first"), held("second")
    streams = [
        asyncio.create_task(
            toys.server.rpc(
                {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "count"}},
                toys.server.bearer("demo") | {"X-Request-Id": name},
            )
        )
        for name in ("first", "second")
    ]
    await asyncio.gather(first.reached.wait(), second.reached.wait())

    again = await toys.send("GET", "/v1/tools/count/stream", headers={"X-Request-Id": "first"})
    assert (again.status, again.error["code"]) == (409, "duplicate_request")
    ambiguous = await toys.send("GET", "/progress/1")
    assert (ambiguous.status, ambiguous.error["code"]) == (409, "duplicate_request")
    # Another tenant's calls may well have the same names.
    assert (await stages(toys, "/v1/tools/fail/stream", tenant="other", request_id="first"))[-1] == "error"

    first.open.set()
    second.open.set()
    await asyncio.gather(*streams)


async def test_nobody_else_sees_a_stream_or_learns_that_there_is_one(toys: Client) -> None:
    gates = held("mine")
    own = asyncio.create_task(stages(toys, "/v1/tools/count/stream", request_id="mine"))
    await gates.reached.wait()

    stranger = await Client(toys.server, "other").send("GET", "/progress/mine", headers={"X-Request-Id": "same"})
    nothing = await Client(toys.server, "other").send("GET", "/progress/none", headers={"X-Request-Id": "same"})

    assert (stranger.status, stranger.body) == (404, nothing.body)
    gates.open.set()
    await own


async def test_a_token_that_may_not_make_the_call_does_not_see_its_answer_either(toys: Client) -> None:
    await stages(toys, "/v1/tools/count/stream", request_id="mine")

    for name in ("mine", "none"):
        narrow = await toys.send("GET", f"/progress/{name}", permissions=("contacts.view",))
        assert (narrow.status, narrow.error["code"]) == (403, "permission_denied")
        assert 'scope="analytics.view"' in narrow.headers["WWW-Authenticate"]


async def sleeping(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        count: int = await connection.fetchval(
            "select count(*) from pg_stat_activity where state = 'active' and query like '%pg_sleep%' "
            "and pid <> pg_backend_pid() and datname = current_database()"
        )
        return count
    finally:
        await connection.close()


async def until(url: str, wanted: int, seconds: float) -> float:
    """Return how long it took until so many queries slept."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    while await sleeping(url) != wanted:
        assert loop.time() - started < seconds, f"{await sleeping(url)} queries run, not {wanted}"
        await asyncio.sleep(0.02)
    return loop.time() - started


async def test_closing_the_stream_that_owns_a_call_stops_its_sql(toys: Client, demo_url: str) -> None:
    async with opened(toys, "/v1/tools/run_query/stream", request_id="mine") as response:
        await response.content.readline()
        await until(demo_url, 1, PATIENCE)
        response.close()
        await until(demo_url, 0, 2)

    assert (await stages(toys, "/progress/mine")) == ["starting", "error"]


async def test_closing_a_watcher_leaves_the_call_alone(toys: Client, demo_url: str) -> None:
    gates = held("mine")
    own = asyncio.create_task(stages(toys, "/v1/tools/count/stream", request_id="mine"))
    await gates.reached.wait()
    async with opened(toys, "/progress/mine") as response:
        await response.content.readline()
        response.close()
    await asyncio.sleep(0.05)
    gates.open.set()

    assert (await own)[-1] == "done"


async def test_a_deadline_stops_the_sql_and_is_told(toys: Client, demo_url: str) -> None:
    async with opened(toys, "/v1/tools/run_short/stream") as response:
        told = await events(response)

    assert told[-1]["data"]["code"] == "deadline_exceeded"
    await until(demo_url, 0, 2)


async def test_a_stopping_server_ends_what_it_cannot_wait_for(serving: Serving, demo_url: str) -> None:
    async with ClientSession() as session:  # outlives the server
        async with serving(tools=TOOLS, drain_seconds=0.3, progress_wait_seconds=60) as shared:
            client = Client(Server(shared.server.url, session), "demo")
            own = asyncio.create_task(stages(client, "/v1/tools/run_query/stream", request_id="mine"))
            body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "run_query"}}
            plain_call = asyncio.create_task(client.server.rpc(body, client.server.bearer("demo")))
            await until(demo_url, 2, PATIENCE)
            watching = asyncio.create_task(stages(client, "/progress/mine"))
            waiting = asyncio.create_task(client.send("GET", "/progress/later"))
            await asyncio.sleep(0.1)
        await until(demo_url, 0, 1)

        assert await own == await watching == ["starting", "error"]
        status, answer = await plain_call
        assert (status, answer["result"]["structuredContent"]["code"]) == (200, "shutting_down")
        refused = await waiting
        assert (refused.status, refused.error["code"]) == (503, "shutting_down")


def stalled(client: Client, path: str) -> socket.socket:
    """Ask for a stream and never read it."""
    address = urlsplit(client.server.url)
    asking = socket.create_connection((address.hostname, address.port))
    asking.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    head = f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\n"
    asking.sendall(f"{head}Authorization: {client.server.bearer('demo')['Authorization']}\r\n\r\n".encode())
    return asking


async def until_open(number: int) -> None:
    """Wait until so many streams are open; each has a task that keeps it alive."""
    async with asyncio.timeout(PATIENCE):
        while number != sum("_ping" in str(task.get_coro()) for task in asyncio.all_tasks()):  # noqa: ASYNC110 - nothing tells when they end
            await asyncio.sleep(0.01)


async def test_a_watcher_that_takes_nothing_is_dropped_without_harm(
    toys: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_TAKING_SECONDS", 0.1)
    gates = held("mine")
    own = asyncio.create_task(stages(toys, "/v1/tools/count/stream?steps=60&size=100000", request_id="mine"))
    await gates.reached.wait()
    asking = stalled(toys, "/progress/mine")
    await until_open(2)
    gates.open.set()

    assert (await own)[-1] == "done"
    await until_open(0)
    asking.close()


async def test_hundreds_of_calls_and_their_watchers_leave_nothing_behind(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two hundred calls at a time, whose watchers come, go and stall; no call waits for one that stalls."""
    monkeypatch.setattr(connection, "_TAKING_SECONDS", 3600)
    monkeypatch.setattr(progress, "_SEND_SECONDS", 3600)
    gc.collect()
    before = [kept for kept in gc.get_objects() if isinstance(kept, CallStream | Gauge)]
    async with (
        serving(tools=TOOLS, progress_wait_seconds=30) as shared,
        ClientSession(connector=TCPConnector(limit=0, force_close=True)) as session,
    ):
        client = Client(Server(shared.server.url, session), "demo")
        await stages(client, "/v1/tools/count/stream")
        tasks_before = len(asyncio.all_tasks())
        names = [f"call-{uuid4().hex}" for _ in range(200)]
        early = [asyncio.create_task(stages(client, f"/progress/{name}")) for name in names[:30]]
        lazy = [stalled(client, f"/progress/{name}") for name in names[:10]]
        slow = [held(name) for name in names]
        calls = [
            asyncio.create_task(stages(client, "/v1/tools/count/stream?steps=120&size=2000", request_id=name))
            for name in names
        ]
        async with asyncio.timeout(60):
            await asyncio.gather(*(gate.reached.wait() for gate in slow))
            quitting = [asyncio.create_task(stages(client, f"/progress/{name}")) for name in names[30:60]]
            await asyncio.sleep(0.2)
            for watcher in quitting[::2]:
                watcher.cancel()
            for gate in slow:
                gate.open.set()
            told = await asyncio.gather(*calls)
            watched = await asyncio.gather(*early, *quitting[1::2])
        for asking in lazy:
            asking.close()

        assert all(call[0] == "starting" and call[-1] == "done" for call in told)
        assert all(call[-1] == "done" for call in watched)
        async with asyncio.timeout(PATIENCE):
            while len(asyncio.all_tasks()) > tasks_before:  # noqa: ASYNC110 - nothing tells when tasks are gone
                await asyncio.sleep(0.05)
    gc.collect()
    left = [kept for kept in gc.get_objects() if isinstance(kept, CallStream | Gauge)]
    assert not [kept for kept in left if kept not in before]
