"""Twenty tenants at once on five connections, with clients that give up, deadlines that pass and backends that die."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import orjson
import pytest

from handlers import CATALOG
from rpc_server.backends.postgres import Postgres
from rpc_server.calls.call import Calls
from rpc_server.calls.layers import Layer, Next
from rpc_server.calls.layers.deadline import deadline
from rpc_server.calls.layers.permit import permit
from rpc_server.calls.layers.validate import validate
from rpc_server.contract.caller import Caller
from rpc_server.contract.errors import DependencyUnavailable
from rpc_server.contract.query import Query
from rpc_server.contract.result import Result
from rpc_server.contract.tool import Call
from tests.conftest import Crm, Server, StartServer
from tests.tenancy.crowd import TENANTS, Answer, Send, crowd, sometimes
from tests.tenancy.rows import Marked, fill, foreign_marks

CONNECTIONS = 5
# What may become of a call that was disturbed; nothing else may, and an undisturbed one completes.
DISTURBED = {"cancelled", "deadline_exceeded", "dependency_unavailable"}


@pytest.fixture
async def crowded(crm: Crm) -> Crm:
    """All tenants, with fresh statistics."""
    async with crm.owner.transaction():
        for tenant in TENANTS:
            await fill(crm.owner, tenant, crm.now)
    await crm.owner.execute("analyze")
    return crm


async def backends(crm: Crm) -> list[str]:
    """Return the states of the server's connections."""
    rows = await crm.owner.fetch(
        "select coalesce(state, '') as state from pg_stat_activity "
        "where datname = current_database() and application_name = 'crm-mcp'"
    )
    return [row["state"] for row in rows]


async def settled(crm: Crm) -> list[str]:
    """Return the states of the server's connections once all are idle, or after five seconds as they are."""
    for _ in range(100):
        if {"idle"} >= set(states := await backends(crm)):
            return states
        await asyncio.sleep(0.05)
    return states


async def kill_some(crm: Crm, times: int) -> int:
    """End a connection of the server from outside now and then."""
    killed = 0
    for _ in range(times):
        await asyncio.sleep(0.02)
        killed += await crm.owner.fetchval(
            """
            select count(pg_terminate_backend(pid))
              from (select pid
                      from pg_stat_activity
                     where datname = current_database()
                       and application_name = 'crm-mcp'
                       and state <> 'idle'
                     order by query_start
                     limit 1) one
            """
        )
    return killed


def through(crm: Crm, pool: Postgres, layers: Sequence[Layer]) -> Send:
    """Return a way to call tools without HTTP."""
    calls = Calls(CATALOG, layers, pool, lambda: crm.now)
    # Streaming calls of one id would be duplicates.
    numbers = itertools.count()

    async def send(tool: str, arguments: Any, tenant: Marked) -> tuple[str, Answer]:
        caller = Caller(tenant.tenant, "tester", frozenset("*"))
        outcome = await calls.run(tool, arguments, caller, f"test-{next(numbers)}")
        if outcome.error is not None:
            return outcome.error.code, outcome.error.as_dict()
        assert outcome.result is not None
        answer: Answer = orjson.loads(outcome.result.as_json())
        return "ok", answer

    return send


def hurried(rng: Random) -> Layer:
    """Return a layer that gives half of the calls a tiny deadline: of the whole call, or told to PostgreSQL only."""

    async def hurry(proceed: Next, call: Call) -> Result:
        seconds = rng.choice([60.0, rng.uniform(0, 0.05)])
        if rng.random() < 0.5:
            call.tool = replace(call.tool, timeout_seconds=seconds)
            return await deadline(proceed, call)
        call.deadline = asyncio.get_running_loop().time() + seconds
        return await proceed(call)

    return hurry


@pytest.fixture
async def pool(crowded: Crm) -> AsyncIterator[Postgres]:
    """Five connections, for which calls wait as long as it takes."""
    async with Postgres(crowded.server_url, size=CONNECTIONS, acquire_seconds=60) as postgres:
        yield postgres


@pytest.fixture
async def unheard() -> AsyncIterator[list[str]]:
    """What tasks raised without anybody listening."""
    loop, found = asyncio.get_running_loop(), list[str]()
    loop.set_exception_handler(lambda _, context: found.append(str(context)))
    yield found
    loop.set_exception_handler(None)


async def test_calls_that_nobody_disturbs_complete_among_those_that_are_cancelled(
    crowded: Crm, pool: Postgres, unheard: list[str]
) -> None:
    """A cancellation reaches PostgreSQL by another connection; it must not strike the next tenant's statement."""
    send = through(crowded, pool, (deadline, permit, validate))

    cancelled, patient = await asyncio.gather(
        crowd(send, 250, seed=1, patience=lambda rng: rng.expovariate(1)),
        crowd(send, 150, seed=2, patience=lambda rng: None),
    )

    assert (patient.outcomes, patient.wrong, cancelled.wrong) == ({"ok": 150}, [], [])
    assert "cancelled" in cancelled.outcomes
    await assert_healthy(crowded, pool, send)
    assert unheard == []


async def test_no_tenant_sees_another_while_calls_are_cut_off_and_backends_die(
    crowded: Crm, pool: Postgres, unheard: list[str]
) -> None:
    send = through(crowded, pool, (hurried(Random(3)), permit, validate))

    tally, killed = await asyncio.gather(crowd(send, 400, seed=4, patience=sometimes), kill_some(crowded, 5))

    assert tally.wrong == []
    assert set(tally.outcomes) <= {"ok", *DISTURBED}
    assert {"ok", "cancelled", "deadline_exceeded"} <= set(tally.outcomes), (tally.outcomes, killed)
    await assert_healthy(crowded, pool, through(crowded, pool, (deadline, permit, validate)))
    assert unheard == []


async def test_a_backend_that_dies_between_two_statements_is_an_unavailable_database(crm: Crm) -> None:
    query = Query("names", "select name from mcp.pipelines", ())

    async def bereaved(pool: Postgres, pause: float) -> None:
        async with pool.snapshot("tenant-1", lambda: None) as snapshot:
            await snapshot.all(query)
            assert await kill_some(crm, 1) == 1
            await asyncio.sleep(pause)
            await snapshot.all(query)

    async with Postgres(crm.server_url, size=1, acquire_seconds=2) as pool:
        for pause in (0, 0.05):  # noticed by the statement itself, or before it
            with pytest.raises(DependencyUnavailable):
                await bereaved(pool, pause)
            async with pool.snapshot("tenant-1", lambda: None) as snapshot:
                assert await snapshot.all(query) == []


async def assert_healthy(crm: Crm, pool: Postgres, send: Send) -> None:
    """See that all connections are free and idle, that no task is left, and that calls are answered."""
    states = await settled(crm)
    assert {"idle"} >= set(states) and len(states) <= CONNECTIONS
    assert (pool.figures.in_use, pool.figures.waiting) == (0, 0)
    assert await pool._watch.ask()  # a lost connection has it look whether PostgreSQL is there
    assert {asyncio.current_task()} == asyncio.all_tasks()
    async with asyncio.timeout(5):
        again = await crowd(send, 2 * CONNECTIONS, seed=5, patience=lambda rng: None)
    assert (again.outcomes, again.wrong) == ({"ok": 2 * CONNECTIONS}, [])


def over(server: Server) -> Send:
    """Return a way to call tools over HTTP, by turns as JSON-RPC and as plain requests."""
    turns = itertools.count()

    async def send(tool: str, arguments: Any, tenant: Marked) -> tuple[str, Answer]:
        headers = server.bearer(tenant.tenant)
        if next(turns) % 2:
            status, body = await server.execute(tool, arguments, headers)
            return ("ok", body["result"]) if status == 200 else (body["error"]["code"], body)
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}
        _, body = await server.rpc(call, headers)
        answer = body["result"]["structuredContent"]
        if body["result"]["isError"]:
            return answer["code"], body
        # What a model reads must be as clean as what a program does.
        assert foreign_marks(body["result"]["content"][0]["text"], tenant, TENANTS) == []
        return "ok", answer

    return send


async def test_no_tenant_sees_another_over_http_while_clients_leave(
    crowded: Crm, start_server: StartServer, unheard: list[str]
) -> None:
    send = over(await start_server(database_pool_size=CONNECTIONS, database_wait_seconds=60))

    tally, killed = await asyncio.gather(crowd(send, 300, seed=6, patience=sometimes), kill_some(crowded, 3))

    assert tally.wrong == []
    assert {"ok", "cancelled"} <= set(tally.outcomes) <= {"ok", *DISTURBED}, (tally.outcomes, killed)
    states = await settled(crowded)
    assert {"idle"} >= set(states) and len(states) <= CONNECTIONS
    async with asyncio.timeout(5):
        again = await crowd(send, 2 * CONNECTIONS, seed=7, patience=lambda rng: None)
    assert (again.outcomes, again.wrong) == ({"ok": 2 * CONNECTIONS}, [])
    assert unheard == []
