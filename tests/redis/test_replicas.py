"""Replicas of the whole server that share a Redis and a database, over HTTP."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import orjson
import pytest
from aiohttp import ClientResponse
from pydantic import SecretStr

from handlers.demo import DemoPlan
from rpc_server.commands.demo import load
from rpc_server.contract.arguments import NoArguments
from rpc_server.contract.errors import Cancelled
from rpc_server.contract.result import Result
from rpc_server.contract.tool import Call, Catalog, catalog, tool
from rpc_server.protocol.tool_shapes import CACHE_META
from tests.conftest import Crm, Server, StartServer
from tests.redis.polling import PATIENCE, until

TENANT = "aurora"
ALL = {"period": "all"}


@pytest.fixture
async def demo(crm: Crm) -> Crm:
    """A tenant with data."""
    crm.now = datetime(2026, 11, 18, 15, 0, tzinfo=UTC)
    await load(crm.owner, DemoPlan(TENANT, 30, seed=3, until=crm.now), lambda done: None)
    return crm


@pytest.fixture
def sharing(redis_url: str) -> dict[str, Any]:
    """Settings of replicas that share a Redis; a busy machine is no broken one."""
    return {
        "redis_url": SecretStr(redis_url),
        "redis_prefix": f"test-{secrets.token_hex(6)}",
        "redis_timeout_seconds": 5,
        "cache": "auto",
    }


@pytest.fixture
async def two(demo: Crm, start_server: StartServer, sharing: dict[str, Any]) -> tuple[Server, Server]:
    """Two replicas."""
    return await start_server(**sharing), await start_server(**sharing)


async def counted(server: Server, *, tenant: str = TENANT, permissions: tuple[str, ...] = ("*",)) -> tuple[int, bool]:
    """Return how many leads are qualified, and whether that was cached."""
    status, answer = await server.execute("get_leads_count", ALL, server.bearer(tenant, permissions))
    assert status == 200, answer
    return answer["result"]["qualified_leads"], answer["cache"]["hit"]


async def undecided(crm: Crm) -> str:
    """Return a contact about which nothing has been decided."""
    return str(
        await crm.owner.fetchval(
            "select id from public.contacts c where tenant_id = $1 and deleted_at is null and not exists "
            "(select from mcp_store.qualifications q where q.contact_id = c.id) order by id limit 1",
            TENANT,
        )
    )


def decision(contact: str, **more: Any) -> dict[str, Any]:
    return {"contact_id": contact, "status": "qualified", "reason": "Asked for an offer.", **more}


async def test_a_change_on_one_replica_makes_the_next_read_fresh_on_both(demo: Crm, two: tuple[Server, Server]) -> None:
    one, other = two
    before, _ = await counted(one)
    assert await counted(other) == (before, True)

    status, made = await one.execute("qualify_lead", decision(await undecided(demo)), one.bearer(TENANT))

    assert (status, made["result"]["changed"], made["result"]["warnings"]) == (200, True, [])
    assert await counted(other) == (before + 1, False)
    assert await counted(one) == (before + 1, True)


async def test_what_changes_nothing_forgets_nothing(demo: Crm, two: tuple[Server, Server]) -> None:
    one, other = two
    contact = await undecided(demo)
    await one.execute("qualify_lead", decision(contact), one.bearer(TENANT))
    await counted(other)
    for more in ({}, {"dry_run": True}, {"dry_run": True, "status": "unqualified"}):
        status, answer = await one.execute("qualify_lead", decision(contact, **more), one.bearer(TENANT))
        assert status == 200, answer

        assert (await counted(other))[1]


async def test_a_repeated_change_makes_fresh_what_the_first_may_have_left_stale(
    demo: Crm, two: tuple[Server, Server]
) -> None:
    one, other = two
    change = decision(await undecided(demo), idempotency_key="k")
    await one.execute("qualify_lead", change, one.bearer(TENANT))
    await counted(other)
    _, repeated = await one.execute("qualify_lead", change, one.bearer(TENANT))

    assert repeated["result"]["idempotency"]["replayed"]
    assert not (await counted(other))[1]


async def test_a_caller_that_goes_away_leaves_nothing_stale(demo: Crm, two: tuple[Server, Server], crm: Crm) -> None:
    one, other = two
    contact = await undecided(demo)
    before, _ = await counted(other)
    locking = await asyncpg.connect(crm.owner_url)
    try:
        lock = locking.transaction()
        await lock.start()
        await locking.execute("select from public.contacts where id = $1 for update", contact)
        changing = asyncio.create_task(one.execute("qualify_lead", decision(contact), one.bearer(TENANT)))
        await until(lambda: waiting_for_a_lock(demo))
        changing.cancel()
        await asyncio.wait([changing])
        assert await counted(other) == (before, True)
        await lock.rollback()
    finally:
        await locking.close()

    await until(lambda: fresh(other, before + 1))


async def waiting_for_a_lock(crm: Crm) -> bool:
    return bool(await crm.owner.fetchval("select exists (select from pg_locks where not granted)"))


async def fresh(server: Server, expected: int) -> bool:
    return (await counted(server))[0] == expected


async def test_neither_tenants_nor_permissions_share_an_answer(demo: Crm, two: tuple[Server, Server]) -> None:
    one, other = two
    figure, _ = await counted(one)
    assert figure

    assert await counted(other, tenant="boreal") == (0, False)
    assert await counted(one, tenant="boreal") == (0, True)
    assert await counted(other, permissions=("analytics.view",)) == (figure, False)
    assert await counted(other) == (figure, True)
    status, _ = await other.execute("get_leads_count", ALL, other.bearer(TENANT, ("contacts.view",)))
    assert status == 403


async def test_hit_and_age_stand_in_each_kind_of_answer(demo: Crm, two: tuple[Server, Server]) -> None:
    one, other = two
    status, first = await one.execute("get_leads_count", ALL, one.bearer(TENANT))
    assert (status, first["cache"]) == (200, {"hit": False, "age_seconds": 0.0})
    demo.now += timedelta(seconds=42)

    _, plain = await other.execute("get_leads_count", ALL, other.bearer(TENANT))
    assert plain["cache"] == {"hit": True, "age_seconds": 42.0}
    assert plain["result"] == first["result"]
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "get_leads_count", "arguments": ALL}}
    _, rpc = await other.rpc(body, other.bearer(TENANT))
    assert rpc["result"]["_meta"] == {CACHE_META: {"hit": True, "age_seconds": 42.0}}
    assert rpc["result"]["structuredContent"] == first["result"]
    _, contacts = await other.execute("find_contacts", {}, other.bearer(TENANT))
    assert "cache" not in contacts


async def test_answers_of_a_day_end_with_the_tenants_day(demo: Crm, two: tuple[Server, Server]) -> None:
    one, other = two
    demo.now = datetime(2026, 11, 19, 2, 59, 30, tzinfo=UTC)  # 23:59:30 in São Paulo
    await counted(one)
    assert (await counted(other))[1]
    demo.now += timedelta(seconds=30)

    assert not (await counted(other))[1]


async def test_exactly_the_limit_passes_over_three_replicas_with_twenty_callers_at_a_time(
    demo: Crm, start_server: StartServer, sharing: dict[str, Any]
) -> None:
    servers = [await start_server(**sharing, rate_limit_read=40) for _ in range(3)]

    async def calls(number: int) -> list[int]:
        server = servers[number % 3]
        return [(await server.execute("list_agents", {}, server.bearer(TENANT)))[0] for _ in range(4)]

    statuses = [status for some in await asyncio.gather(*map(calls, range(20))) for status in some]

    assert statuses.count(200) == 40
    assert statuses.count(429) == 40


async def test_a_caller_is_told_of_its_limit(demo: Crm, start_server: StartServer, sharing: dict[str, Any]) -> None:
    server = await start_server(**sharing, rate_limit_read=3)
    bearer = server.bearer(TENANT)
    for remaining in (2, 1, 0):
        async with post(server, "/v1/tools/execute", {"tool_name": "list_agents"}, bearer) as response:
            assert response.status == 200
            assert limits_of(response)[:2] == [3, remaining]
            assert 1 <= limits_of(response)[2] <= 60

    async with post(server, "/v1/tools/execute", {"tool_name": "list_agents"}, bearer) as response:
        error = (await response.json())["error"]
        assert (response.status, error["code"]) == (429, "rate_limited")
        assert limits_of(response)[:2] == [3, 0]
        assert 1 <= error["retry_after"] == int(response.headers["Retry-After"]) <= 60
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "list_agents"}}
    async with post(server, "/rpc", call, bearer) as response:
        result = (await response.json())["result"]
        assert (response.status, result["isError"]) == (200, True)
        assert result["structuredContent"]["code"] == "rate_limited"
        assert result["structuredContent"]["retry_after"] >= 1
        assert limits_of(response)[:2] == [3, 0]
    async with post(server, "/v1/tools/execute", {"tool_name": "list_agents"}, server.bearer(TENANT, user="eve")) as ok:
        assert ok.status == 200


async def test_a_batch_tells_of_the_limit_closest_to_its_end(
    demo: Crm, start_server: StartServer, sharing: dict[str, Any]
) -> None:
    server = await start_server(**{**sharing, "rate_limit_read": 5, "rate_limit_write": 3})
    change = {"name": "qualify_lead", "arguments": decision(await undecided(demo), dry_run=True)}
    batch = [request("tools/call", change), request("tools/call", {"name": "list_agents"}), request("tools/list", {})]

    async with post(server, "/rpc", batch, server.bearer(TENANT)) as response:
        assert len(await response.json()) == 3
        assert limits_of(response)[:2] == [3, 2]
    async with post(server, "/rpc", [request("tools/list", {})], server.bearer(TENANT)) as response:
        assert "RateLimit-Limit" not in response.headers


async def test_a_stream_is_counted_and_refused_like_any_call(
    stage: "Stage", start_server: StartServer, sharing: dict[str, Any]
) -> None:
    server = await start_server(stage.tools, **{**sharing, "rate_limit_analysis": 1})
    stage.go_on.set()
    url, bearer = f"{server.url}/v1/tools/climb/stream", server.bearer(TENANT)
    async with server.session.get(url, headers=bearer) as response:
        assert (response.status, limits_of(response)[:2]) == (200, [1, 0])
    async with server.session.get(url, headers=bearer) as response:
        assert (response.status, limits_of(response)[:2]) == (429, [1, 0])
        assert int(response.headers["Retry-After"]) >= 1


async def test_writes_have_a_limit_of_their_own(demo: Crm, start_server: StartServer, sharing: dict[str, Any]) -> None:
    server = await start_server(**sharing, rate_limit_read=1, rate_limit_write=2)
    change = decision(await undecided(demo), dry_run=True)
    statuses = [(await server.execute("qualify_lead", change, server.bearer(TENANT)))[0] for _ in range(3)]

    assert statuses == [200, 200, 429]
    assert (await server.execute("list_agents", {}, server.bearer(TENANT)))[0] == 200


async def test_what_is_no_call_of_a_tool_is_never_limited(
    demo: Crm, start_server: StartServer, sharing: dict[str, Any]
) -> None:
    server = await start_server(**sharing, rate_limit_read=1)
    bearer = server.bearer(TENANT) | {"Accept": "application/json, text/event-stream"}
    for _ in range(2):
        await server.execute("list_agents", {}, bearer)
    hello = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    }

    for _ in range(3):
        async with post(server, "/mcp", request("initialize", hello), bearer) as response:
            assert response.status == 200
            session = {"Mcp-Session-Id": response.headers["Mcp-Session-Id"], "MCP-Protocol-Version": "2025-11-25"}
        for method in ("ping", "tools/list"):
            async with post(server, "/mcp", request(method, {}), bearer | session) as response:
                assert "result" in await response.json()
        assert "result" in (await server.rpc(request("tools/list", {}), bearer))[1]
    async with post(server, "/mcp", request("tools/call", {"name": "list_agents"}), bearer | session) as response:
        assert (await response.json())["result"]["structuredContent"]["code"] == "rate_limited"
        assert limits_of(response)[:2] == [1, 0]


async def test_a_session_that_was_ended_on_one_replica_is_over_on_the_other(two: tuple[Server, Server]) -> None:
    one, other = two
    bearer = one.bearer(TENANT) | {"Accept": "application/json, text/event-stream"}
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    async with post(one, "/mcp", request("initialize", hello), bearer) as response:
        bearer |= {"Mcp-Session-Id": response.headers["Mcp-Session-Id"], "MCP-Protocol-Version": "2025-11-25"}
    async with post(other, "/mcp", request("ping", {}), bearer) as response:
        assert response.status == 200
    async with one.session.delete(f"{one.url}/mcp", headers=bearer) as response:
        assert response.status == 204

    async with post(other, "/mcp", request("ping", {}), bearer) as response:
        assert response.status == 404


class Reached(Result):
    """What the tool of these tests answers."""

    steps: int

    def text(self) -> str:
        return str(self.steps)


class Stage:
    """A tool that streams, and waits for the test."""

    def __init__(self) -> None:
        self.began, self.go_on = asyncio.Event(), asyncio.Event()

    @property
    def tools(self) -> Catalog:
        @tool(title="Climb", permission="analytics.view", streams=True)
        async def climb(call: Call, arguments: NoArguments) -> Reached:
            """Climb."""
            call.progress.report("analyzing", 0.25, "One step.")
            self.began.set()
            await self.go_on.wait()
            call.progress.report("analyzing", 0.5, "Two steps.")
            return Reached(steps=2)

        return catalog([climb])


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    stage.go_on.set()


async def test_a_call_is_watched_on_another_replica_by_whoever_made_it_and_nobody_else(
    stage: Stage, start_server: StartServer, sharing: dict[str, Any]
) -> None:
    one, other = [await start_server(stage.tools, **sharing, progress_wait_seconds=0.2) for _ in range(2)]
    name = str(uuid4())
    bearer = one.bearer(TENANT)
    running = asyncio.create_task(streamed(one, "/v1/tools/climb/stream", bearer | {"X-Request-Id": name}))
    await stage.began.wait()

    watching = asyncio.create_task(streamed(other, f"/progress/{name}", bearer))
    for stranger in (other.bearer(TENANT, user="eve"), other.bearer("boreal")):
        async with other.session.get(f"{other.url}/progress/{name}", headers=stranger) as response:
            assert response.status == 404
    async with post(other, "/v1/tools/execute", {"tool_name": "climb"}, bearer | {"X-Request-Id": name}) as response:
        assert (response.status, (await response.json())["error"]["code"]) == (409, "duplicate_request")
    stage.go_on.set()

    told = await running
    assert await watching == told
    assert [event["stage"] for event in told] == ["starting", "analyzing", "analyzing", "done"]
    assert await streamed(other, f"/progress/{name}", bearer) == told
    assert await streamed(other, f"/progress/{name}", bearer | {"Last-Event-ID": "3"}) == told[3:]


async def test_so_many_analyses_of_a_tenant_run_at_a_time_on_all_replicas_together(
    stage: Stage, start_server: StartServer, sharing: dict[str, Any]
) -> None:
    servers = [await start_server(stage.tools, **{**sharing, "analysis_concurrency": 2}) for _ in range(2)]

    def call(server: Server, tenant: str = TENANT) -> "asyncio.Task[tuple[int, Any]]":
        return asyncio.create_task(server.execute("climb", {}, server.bearer(tenant, user=str(uuid4()))))

    running = []
    for server in servers:
        stage.began.clear()
        running.append(call(server))
        await stage.began.wait()
    for server in servers:
        status, answer = await call(server)
        assert (status, answer["error"]["code"]) == (429, "rate_limited")
        assert answer["error"]["retry_after"] >= 1
    stage.began.clear()
    running.append(call(servers[0], "boreal"))
    await stage.began.wait()
    stage.go_on.set()

    assert [status for status, _ in await asyncio.gather(*running)] == [200, 200, 200]
    assert (await call(servers[1]))[0] == 200


async def test_a_call_that_was_called_off_gives_its_place_back(
    stage: Stage, start_server: StartServer, sharing: dict[str, Any]
) -> None:
    server = await start_server(stage.tools, **{**sharing, "analysis_concurrency": 1})
    running = asyncio.create_task(streamed(server, "/v1/tools/climb/stream", server.bearer(TENANT)))
    await stage.began.wait()
    running.cancel()
    await asyncio.wait([running])
    stage.go_on.set()

    async def is_free() -> bool:
        status, answer = await server.execute("climb", {}, server.bearer(TENANT))
        assert status == 200 or answer["error"]["code"] != Cancelled.code
        return status == 200

    await until(is_free)


async def test_it_says_that_redis_is_there(two: tuple[Server, Server]) -> None:
    async with two[0].session.get(f"{two[0].url}/ready") as response:
        ready = await response.json()
        assert (response.status, ready["status"], ready["dependencies"]["redis"]) == (200, "ok", "ok")


def request(method: str, params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


@asynccontextmanager
async def post(server: Server, path: str, body: Any, headers: dict[str, str]) -> AsyncIterator[ClientResponse]:
    headers = {"Content-Type": "application/json", **headers}
    async with server.session.post(f"{server.url}{path}", data=orjson.dumps(body), headers=headers) as response:
        yield response


def limits_of(response: ClientResponse) -> list[int]:
    return [int(response.headers[f"RateLimit-{name}"]) for name in ("Limit", "Remaining", "Reset")]


async def streamed(server: Server, path: str, headers: dict[str, str]) -> list[dict[str, Any]]:
    """Read a stream of events to its end."""
    async with asyncio.timeout(PATIENCE), server.session.get(f"{server.url}{path}", headers=headers) as response:
        assert response.status == 200, await response.text()
        lines = (await response.read()).decode().splitlines()
    return [orjson.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


async def test_a_stream_that_broke_off_goes_on_on_the_other_replica(
    stage: Stage, start_server: StartServer, sharing: dict[str, Any]
) -> None:
    one, other = [await start_server(stage.tools, **sharing) for _ in range(2)]
    bearer = one.bearer(TENANT) | {"Accept": "application/json, text/event-stream"}
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    async with post(one, "/mcp", request("initialize", hello), bearer) as response:
        bearer |= {"Mcp-Session-Id": response.headers["Mcp-Session-Id"], "MCP-Protocol-Version": "2025-11-25"}
    call = request("tools/call", {"name": "climb", "_meta": {"progressToken": "p"}})
    async with post(one, "/mcp", call, bearer) as response:
        last_seen = ""
        while b"notifications/progress" not in (line := await response.content.readline()):
            if line.startswith(b"id: "):
                last_seen = line.decode().removeprefix("id: ").strip()
    stage.go_on.set()

    async def is_known() -> bool:
        async with other.session.get(f"{other.url}/mcp", headers=bearer | {"Last-Event-ID": last_seen}) as resumed:
            if resumed.status != 200:
                return False
            messages = [line for line in (await resumed.read()).splitlines() if line.startswith(b"data: {")]
        assert orjson.loads(messages[-1].removeprefix(b"data: "))["result"]["structuredContent"] == {"steps": 2}
        return True

    await until(is_known)
