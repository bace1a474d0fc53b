"""Requests that come again are answered in short, and nobody can tell: answers, refusals, figures, log lines."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from secrets import token_hex
from typing import Any

import orjson
import pytest
import pytest_asyncio
from pydantic import SecretStr
from structlog.testing import capture_logs

import rpc_server.app
from rpc_server.backends.memory_cache import MemoryCache
from rpc_server.backends.tokens import Tokens
from rpc_server.calls.log_context import with_context
from rpc_server.calls.recall import Recall
from rpc_server.transport.lifecycle import Stage
from rpc_server.transport.repeats import Repeats
from rpc_server.transport.whole import WholeResponse
from tests.conftest import SECRET
from tests.redis.conftest import redis_url
from tests.wire.client import Answer, Client, exchange
from tests.wire.conftest import Serving
from tests.wire.mcp import ACCEPT, EVERY, META, MODERN, McpClient
from tests.wire.test_metrics import scraped, series

__all__ = ["redis_url"]

pytestmark = pytest.mark.asyncio(loop_scope="session")

MONTH = {"period": "custom", "start_date": "2026-10-01", "end_date": "2026-10-31"}
WAYS = ["REST", "/rpc", *EVERY]
COUNTED = ("crm_mcp_calls", "crm_mcp_call_duration_seconds_count", "crm_mcp_cache", "crm_mcp_limit", "crm_mcp_http")
_OF_THE_MOMENT = {"Date", "X-Request-Id", "RateLimit-Reset"}


class Asker:
    """One caller who asks in one way, in bytes: the same ones each time, but for what a test changes."""

    def __init__(self, client: Client, way: str, token: str | None = None, session: str | None = None) -> None:
        self.client = client
        self.way = way
        self.token = token or signed(client.tenant)
        self.session = session

    async def start(self) -> "Asker":
        """Begin a session, where the way has them."""
        if self.way in EVERY and self.way != MODERN:
            body = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": _hello(self.way)}
            (answer,) = await exchange(self.client.server, self._post("/mcp", orjson.dumps(body), {}))
            self.session = answer.headers["Mcp-Session-Id"]
        return self

    def bytes_of(self, arguments: Any = MONTH, id: Any = 1, *, tool: str = "get_leads_count", **changed: str) -> bytes:
        """Return a request; *changed* are headers, in which `_` stands for `-`."""
        headers = {name.replace("_", "-"): value for name, value in changed.items()}
        if self.way == "REST":
            return self._post("/v1/tools/execute", orjson.dumps({"tool_name": tool, "arguments": arguments}), headers)
        params: dict[str, Any] = {"name": tool, "arguments": arguments}
        own: dict[str, str] = {}
        if self.way == MODERN:
            params["_meta"] = {f"{META}protocolVersion": MODERN, f"{META}clientCapabilities": {}}
            own = {"Mcp-Method": "tools/call", "Mcp-Name": tool}
        if self.way != "/rpc":
            own["MCP-Protocol-Version"] = self.way
        if self.session is not None:
            own["Mcp-Session-Id"] = self.session
        body = {"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}
        return self._post("/rpc" if self.way == "/rpc" else "/mcp", orjson.dumps(body), {**own, **headers})

    async def ask(self, *arguments: Any, **options: Any) -> Answer:
        """Send a request, on a connection of its own."""
        return await self.send(self.bytes_of(*arguments, **options))

    async def send(self, request: bytes) -> Answer:
        (answer,) = await exchange(self.client.server, request)
        return answer

    def _post(self, path: str, body: bytes, headers: dict[str, str]) -> bytes:
        said = {
            "Host": "localhost",
            "Authorization": f"Bearer {self.token}",
            "Accept": ACCEPT,
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **headers,
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in said.items())
        return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body


def _hello(version: str) -> dict[str, Any]:
    return {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "tests", "version": "0"}}


def signed(tenant: str, user: str = "tester", permissions: Sequence[str] = ("*",), seconds: float = 600) -> str:
    """Return a token."""
    return Tokens(SECRET).sign(tenant, user, list(permissions), timedelta(seconds=seconds))


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> list[WholeResponse]:
    """The answers that were given in short."""
    seen: list[WholeResponse] = []
    again = Repeats._again

    async def watched(self: Repeats, *arguments: Any) -> WholeResponse | None:
        answer = await again(self, *arguments)
        seen.extend([answer] if answer else [])
        return answer

    monkeypatch.setattr(Repeats, "_again", watched)
    return seen


@pytest_asyncio.fixture(loop_scope="session", params=["memory", "redis"])
async def both(
    serving: Serving, redis_url: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[list[Client]]:
    """A server that answers in short, and one that never does; both let twelve calls pass."""
    kept: dict[str, Any] = {"cache": "memory", "rate_limit_read": 12}
    if request.param == "redis":
        kept |= {"cache": "auto", "redis_url": SecretStr(redis_url), "redis_timeout_seconds": 5.0}
    async with AsyncExitStack() as running:
        repeating = await running.enter_async_context(serving(**kept, redis_prefix=f"test-{token_hex(6)}"))
        monkeypatch.setattr(rpc_server.app, "Repeats", lambda *_: None)
        plain = await running.enter_async_context(serving(**kept, redis_prefix=f"test-{token_hex(6)}"))
        yield [repeating, plain]


@pytest_asyncio.fixture(loop_scope="session")
async def one(serving: Serving) -> AsyncIterator[Client]:
    """A server that answers in short."""
    async with serving(cache="memory") as client:
        yield client


@pytest_asyncio.fixture(loop_scope="session")
async def watched(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Client, Repeats]]:
    """Such a server, and what it remembers."""
    made: list[Repeats] = []

    def make(*arguments: Any) -> Repeats:
        made.append(Repeats(*arguments))
        return made[-1]

    monkeypatch.setattr(rpc_server.app, "Repeats", make)
    async with serving(cache="memory", rate_limit_read=1000) as client:
        yield client, made[0]


def _told(answer: Answer, lines: list[Any]) -> Any:
    """Return an answer, and what was logged of it, without what is another each time."""
    said = answer.json
    if isinstance(said, dict):
        said.pop("timestamp", None)
        said.get("error", {}).pop("request_id", None)
    for line in lines:
        assert line.pop("duration_ms") >= 0
        assert line.pop("request_id") == answer.headers["X-Request-Id"]
    headers = {name: value for name, value in answer.headers.items() if name not in _OF_THE_MOMENT}
    return answer.status, headers, set(answer.headers), said, lines


@pytest.mark.parametrize("way", WAYS)
async def test_what_comes_again_is_answered_counted_limited_and_logged_like_any_other(
    both: list[Client], way: str, short: list[WholeResponse]
) -> None:
    found: list[list[Any]] = []
    for client in both:
        asker, told = await Asker(client, way).start(), []
        for id in (1, 2, 3, "a-4", 500, 6, 0, 8, 9, 10, 11, 12, 13, 14):
            with capture_logs(processors=[with_context]) as lines:
                told.append(_told(await asker.ask(id=id), lines))
        figures = {key: value for key, value in (await scraped(client)).items() if key[0].startswith(COUNTED)}
        found.append([*told, figures])

    repeated, plain = found
    assert repeated == plain
    outcomes = [line["outcome"] for *_, lines in repeated[:-1] for line in lines]
    assert (outcomes.count("ok"), outcomes.count("rate_limited")) == (12, 2)
    assert len(short) == 10  # the first is asked of the database, the second is learnt, two are too many
    assert repeated[-1][series("crm_mcp_cache_lookups_total", tool="get_leads_count", result="hit")] == 11


async def test_an_id_that_is_null_comes_back_too(one: Client, short: list[WholeResponse]) -> None:
    asker = Asker(one, "/rpc")
    for written in (b"null", b" null", b"null"):
        for _ in range(4):
            answer = await asker.send(_with_id(asker, written))
            assert (answer.status, answer.json["id"]) == (200, None)
    assert len(short) > 4


@pytest.mark.parametrize("way", ["/rpc", MODERN])
@pytest.mark.parametrize("id", [0, 7, -7, 10**17, 2**63 - 1, 2**64, "", "x", 'a"b', "ä", "\\u0031", "a b", "x" * 101])
async def test_every_id_comes_back_as_it_was_sent(one: Client, way: str, id: Any) -> None:
    asker = await Asker(one, way).start()
    first = await asker.ask()
    for _ in range(4):
        answer = await asker.ask(id=id) if id != 2**64 else await asker.send(_with_id(asker, b"18446744073709551616"))
        assert (answer.status, answer.json["id"]) == (200, id)
        assert answer.json["result"]["structuredContent"] == first.json["result"]["structuredContent"]


def _with_id(asker: Asker, id: bytes) -> bytes:
    """Return a request whose id is written so."""
    head, _, body = asker.bytes_of(id=1).partition(b"\r\n\r\n")
    said = body.replace(b'"id":1,', b'"id":' + id + b",")
    length = f"Content-Length: {len(body)}".encode(), f"Content-Length: {len(said)}".encode()
    return head.replace(*length) + b"\r\n\r\n" + said


@pytest.mark.parametrize("id", [b"07", b"1.5", b"1e2", b"true", b"[1]", b'{"id":1}', b'"a', b"", b"1 2", b"1,"])
async def test_what_is_no_id_is_refused_after_a_repeated_request_as_before_it(one: Client, id: bytes) -> None:
    fresh, known = Asker(one, MODERN, signed("demo", "fresh")), Asker(one, MODERN)
    for _ in range(3):
        assert (await known.ask()).status == 200

    answers = [await asker.send(_with_id(asker, id)) for asker in (fresh, known)]

    assert [answer.status for answer in answers] == [400, 400]
    assert answers[0].json == answers[1].json


def _same_length(asker: Asker, body: bytes) -> bytes:
    """Return a request of this body."""
    return asker._post("/rpc", body, {})


async def test_an_argument_called_id_is_a_part_of_the_question(one: Client, short: list[WholeResponse]) -> None:
    asker = Asker(one, "/rpc")
    for inner in (7, 7, 7, 8, 8, 8):  # beside the request's own, or alone
        body = (
            b'{"jsonrpc":"2.0","method":"tools/call","params":{"name":"get_leads_count","arguments":{"id":%d}},"id":7}'
        )
        answer = await asker.send(_same_length(asker, body % inner))
        assert "id" in answer.fields
        rest = await Asker(one, "REST").ask({"id": inner})
        assert (rest.status, "id" in rest.fields) == (400, True)
    assert not short


async def test_two_ids_are_never_taken_for_one_another(one: Client, short: list[WholeResponse]) -> None:
    asker = Asker(one, "/rpc")
    for body in (
        b'{"jsonrpc":"2.0","method":"tools/call","_":{"id":%d},"params":{"name":"list_agents","arguments":{}},"id":99}',
        b'{"jsonrpc":"2.0","method":"tools/call","_":{"id":%d},"params":{"name":"list_agents","arguments":{}},'
        b'"\\u0069d":99}',
        b'{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"list_agents","arguments":{}},"id":99}',
    ):
        for inner in (1, 2, 3, 4):
            assert (await asker.send(_same_length(asker, body % inner))).json["id"] == 99
    assert not short


async def test_a_notification_that_comes_again_is_answered_with_nothing(one: Client) -> None:
    asker = Asker(one, "/rpc")
    body = b'{"jsonrpc":"2.0","method":"tools/call","params":{"name":"get_leads_count","arguments":{"period":"today"}}}'
    assert {(await asker.send(_same_length(asker, body))).status for _ in range(4)} == {204}


async def test_each_tenant_and_each_user_has_what_is_theirs(one: Client, short: list[WholeResponse]) -> None:
    ours, theirs = Asker(one, "REST"), Asker(one, "REST", signed("nobody"))
    weak = Asker(one, "REST", signed("demo", "weak", ("members.view",)))
    for _ in range(5):
        first, second, third = await ours.ask(), await theirs.ask(), await weak.ask()
        assert first.json["result"]["total_leads"] > 0
        assert second.json["result"]["total_leads"] == 0
        assert (third.status, third.error["code"]) == (403, "permission_denied")
    assert len(short) == 6


async def test_a_token_that_has_ended_is_refused_however_often_it_came(
    watched: tuple[Client, Repeats], short: list[WholeResponse], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, repeats = watched
    asker = Asker(one, MODERN, signed("demo", seconds=50))
    for _ in range(4):
        assert (await asker.ask()).status == 200
    assert len(short) == 2
    monkeypatch.setattr(repeats._verifier, "_clock", lambda: time.time() + 111)  # leeway is a minute at most

    assert (await asker.ask()).status == 401
    assert not repeats._known


@pytest.mark.parametrize("way", ["2025-03-26", "2025-11-25"])
async def test_a_session_that_was_ended_has_ended_for_what_comes_again_too(
    one: Client, way: str, short: list[WholeResponse]
) -> None:
    asker = await Asker(one, way).start()
    for _ in range(4):
        assert (await asker.ask()).status == 200
    assert len(short) == 2
    mcp = McpClient(one.server, way)
    mcp.session = asker.session
    assert (await mcp.send("DELETE")).status == 204

    assert (await asker.ask()).status == 404


async def test_headers_that_ask_for_something_else_are_heard(one: Client, short: list[WholeResponse]) -> None:
    asker = Asker(one, "REST")
    for _ in range(3):
        await asker.ask()
    assert len(short) == 1

    for _ in range(3):
        page = await asker.ask(Origin="http://localhost:3000")
        assert page.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
        assert (await asker.ask(Origin="https://evil.example")).status == 403
        assert (await asker.ask(Host="evil.example")).status == 421
        assert (await asker.ask(Connection="close")).headers["Connection"] == "close"
        assert (await asker.ask(Expect="the-best")).status == 200
        assert (await asker.ask(Content_Encoding="br")).status == 415
        assert (await asker.ask(X_Request_Id="mine-7")).headers["X-Request-Id"] == "mine-7"
        assert (await asker.ask(X_Request_Id="not sane")).headers["X-Request-Id"] != "not sane"
    assert len(short) == 9  # whose ids alone are others, or who expect what nobody gives

    old = asker.bytes_of().replace(b"HTTP/1.1", b"HTTP/1.0")
    assert {(await asker.send(old)).headers.get("Connection") for _ in range(3)} == {"close"}
    assert len(short) == 9


async def test_requests_in_one_piece_or_in_many_are_answered_in_their_order(one: Client) -> None:
    asker = Asker(one, MODERN)
    pieces = b"".join(asker.bytes_of(id=id) for id in range(1, 21))
    answers = await exchange(one.server, pieces, answers=20)
    assert [answer.json["id"] for answer in answers] == list(range(1, 21))

    address = one.server.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(address[0], int(address[1]))
    for byte in asker.bytes_of(id=21):
        writer.write(bytes([byte]))
        await asyncio.sleep(0)
    writer.write(asker.bytes_of(id=22))
    found = b""
    async with asyncio.timeout(30):
        while found.count(b'"id":2') < 2 or not found.endswith(b"}"):
            found += await reader.read(65536)
    writer.close()
    assert found.index(b'"id":21}') < found.index(b'"id":22}')


async def test_what_was_changed_is_not_answered_from_before(
    watched: tuple[Client, Repeats], short: list[WholeResponse]
) -> None:
    one, repeats = watched
    asker = Asker(one, "REST")
    for _ in range(3):
        before = await asker.ask()
    assert before.json["cache"]["hit"]
    assert len(short) == 1
    assert isinstance(repeats._recall, Recall)
    assert isinstance(repeats._recall._memory, MemoryCache)
    await repeats._recall._memory.forget("demo")  # as each change does

    after = [(await asker.ask()).json["cache"]["hit"] for _ in range(3)]

    assert after == [False, True, True]


async def test_what_is_remembered_has_a_bound(watched: tuple[Client, Repeats], monkeypatch: pytest.MonkeyPatch) -> None:
    one, repeats = watched
    monkeypatch.setattr("rpc_server.transport.repeats._MOST_REMEMBERED", 3)
    asker = Asker(one, "REST")
    for day in range(1, 9):
        for _ in range(3):
            await asker.ask({**MONTH, "end_date": f"2026-10-1{day}"})
    assert len(repeats._known) == 3

    for day in (6, 6, 9, 9, 9):
        await asker.ask({**MONTH, "end_date": f"2026-10-1{day}"})
    bodies = [key[2] for key in repeats._known]
    assert [day for day in range(10) if any(f"2026-10-1{day}".encode() in body for body in bodies)] == [6, 8, 9]


async def test_a_body_that_comes_after_its_head_is_answered_in_short_as_well(
    one: Client, short: list[WholeResponse]
) -> None:
    asker = Asker(one, MODERN)
    for _ in range(2):
        assert (await asker.ask()).status == 200
    host, port = one.server.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head, _, body = asker.bytes_of(id=77).partition(b"\r\n\r\n")
    async with asyncio.timeout(30):
        for pause in (0.01, 0.3):  # the second one is waited for by whoever reads it
            writer.write(head + b"\r\n\r\n")
            await asyncio.sleep(pause)
            writer.write(body)
            answer = await reader.readuntil(b'"id":77}')
            assert answer.startswith(b"HTTP/1.1 200 OK")
    writer.close()
    assert len(short) == 1


@pytest.mark.parametrize("way", ["REST", MODERN])
async def test_a_server_that_is_about_to_leave_answers_and_parts(
    watched: tuple[Client, Repeats], way: str, short: list[WholeResponse]
) -> None:
    one, repeats = watched
    asker = Asker(one, way)
    for _ in range(3):
        first = await asker.ask()
    assert len(short) == 1
    repeats._lifecycle.stage = Stage.LEAVING

    last = await asker.ask()

    assert (last.status, last.headers["Connection"]) == (200, "close")
    assert first.json.get("result") == last.json.get("result")
    assert len(short) == 1


async def test_a_server_that_begins_to_leave_meanwhile_parts_as_well(
    watched: tuple[Client, Repeats], monkeypatch: pytest.MonkeyPatch, short: list[WholeResponse]
) -> None:
    one, repeats = watched
    asker = await Asker(one, "2025-11-25").start()
    for _ in range(3):
        await asker.ask()
    wait = repeats._waited

    async def wait_and_leave(*arguments: Any) -> Any:
        looked = await wait(*arguments)
        repeats._lifecycle.stage = Stage.LEAVING
        return looked

    monkeypatch.setattr(repeats, "_waited", wait_and_leave)
    last = await asker.ask()

    assert (last.status, last.headers["Connection"], len(short)) == (200, "close", 2)


async def test_what_nobody_foresaw_is_reported_and_answered_the_long_way(
    watched: tuple[Client, Repeats], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = watched
    asker = Asker(one, "REST")
    for _ in range(3):
        assert (await asker.ask()).status == 200

    def fail(*_: Any) -> bytes:
        raise RuntimeError("nobody foresaw it")

    monkeypatch.setattr("rpc_server.transport.repeats._Repeat.body", fail)
    other = await asker.ask({**MONTH, "end_date": "2026-10-11"})
    with capture_logs() as lines:
        answer = await asker.ask()

    assert (answer.status, answer.json["cache"]["hit"]) == (200, True)
    assert [line["event"] for line in lines].count("incident") == 1
    assert [line["event"] for line in lines].count("call") == 1
    assert int(answer.headers["RateLimit-Remaining"]) == int(other.headers["RateLimit-Remaining"]) - 1


async def test_a_long_answer_is_made_anew_each_time_and_not_remembered(
    watched: tuple[Client, Repeats], short: list[WholeResponse], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rpc_server.transport.repeats._MOST_ANSWER_BYTES", 10)
    one, repeats = watched
    asker = Asker(one, MODERN)
    answers = [(await asker.ask(id=id)).json for id in (1, 2, 3, 4)]

    assert len(short) == 2
    assert [answer.pop("id") for answer in answers] == [1, 2, 3, 4]
    assert answers[1] == answers[2] == answers[3]
    assert [(each._entry, each._parts) for each in repeats._known.values()] == [(None, [])]
