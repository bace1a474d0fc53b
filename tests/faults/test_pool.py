"""The pool, when PostgreSQL is silent, full, slow or gone: nobody hangs, nothing is lost of the pool, and it heals."""

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from rpc_server.backends.postgres import Postgres
from rpc_server.backends.postgres_connection import Pooler
from rpc_server.contract.errors import DeadlineExceeded, DependencyUnavailable
from rpc_server.contract.query import Query
from tests.conftest import Crm
from tests.faults.valve import Valve
from tests.faults.waiting import until

SIZE = 3
PATIENCE = 0.3
# More than any refusal may take, and far less than a hang.
SOON = 20 * PATIENCE

NOTHING = Query("nothing", "-- Nothing.\nselect 1 as one", ())
SLEEP = Query("sleep", "-- Not soon.\nselect pg_sleep(60)", ())
ASLEEP = """
    select count(*)
      from pg_stat_activity
     where datname = current_database() and state = 'active' and query like '%pg_sleep(60)'
"""


def at(url: str, *ports: int) -> str:
    """Return the address of the same database and login at *ports* of this machine."""
    parts = urlsplit(url)
    login = parts.netloc.rpartition("@")[0]
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
    return urlunsplit(parts._replace(netloc=f"{login}@{hosts}", query=""))


@pytest.fixture
async def valve(crm: Crm) -> AsyncIterator[Valve]:
    """The way to the test's PostgreSQL."""
    async with Valve(crm.server_url).listening() as valve:
        yield valve


@pytest.fixture
async def pool(crm: Crm, valve: Valve) -> AsyncIterator[Postgres]:
    """A pool behind the valve."""
    async with Postgres(at(crm.server_url, valve.port), size=SIZE, acquire_seconds=PATIENCE) as pool:
        yield pool
        valve.open()


async def ask(pool: Postgres, query: Query = NOTHING, *, seconds: float = 60.0) -> int:
    """Run a query as a call of the tenant would."""
    deadline = asyncio.get_running_loop().time() + seconds
    async with pool.snapshot("tenant", lambda: deadline) as snapshot:
        return len(await snapshot.all(query))


async def refused(pool: Postgres, query: Query = NOTHING) -> str:
    """Return what a caller is told that gets no answer; it has to be told soon."""
    async with asyncio.timeout(SOON):
        with pytest.raises(DependencyUnavailable) as caught:
            await ask(pool, query)
    assert caught.value.details["retry_after"] >= 1
    return caught.value.message


async def healed(pool: Postgres) -> None:
    """See that the pool serves again, by all of its connections at once, and that none is kept by anybody."""
    async with asyncio.timeout(SOON):
        while True:
            try:
                await ask(pool)
                break
            except DependencyUnavailable:
                await asyncio.sleep(0.02)
        assert await pool.standing() == "ok"
        async with asyncio.TaskGroup() as group:
            for _ in range(4 * SIZE):
                group.create_task(ask(pool))
    assert (pool.figures.in_use, pool.figures.waiting) == (0, 0)
    assert pool.figures.connected <= SIZE


async def test_a_caller_of_a_silent_postgres_is_told_soon_and_the_next_ones_need_not_try(
    pool: Postgres, valve: Valve
) -> None:
    await ask(pool)
    valve.shut()

    # It was heard of just now, so what opens the transaction goes ahead of the statement, which may take long.
    assert "went away" in await refused(pool)
    await until(lambda: pool.figures.is_down)
    assert await pool.standing() == "unavailable"
    before = pool.figures.refused
    probes = valve.connections
    for _ in range(100):
        assert "cannot be reached" in await refused(pool)

    assert pool.figures.refused == before + 100
    assert valve.connections <= probes + 1, "only the probe tries to connect"
    valve.open()
    await healed(pool)


async def test_a_caller_of_a_postgres_that_fell_silent_a_while_ago_is_told_after_its_patience(
    pool: Postgres, valve: Valve
) -> None:
    await ask(pool)
    valve.shut()
    await until(lambda: not pool.has_answered_lately)

    # Whether a connection is there or is to be opened; not after the three times that a statement's silence takes.
    assert "went away" not in await refused(pool)
    valve.open()
    await healed(pool)


async def test_calls_under_way_end_soon_when_postgres_falls_silent(crm: Crm, pool: Postgres, valve: Valve) -> None:
    calls = [asyncio.create_task(refused(pool, SLEEP)) for _ in range(SIZE)]
    async with asyncio.timeout(SOON):
        while await crm.owner.fetchval(ASLEEP) < SIZE:
            pass
    valve.shut()

    assert {"went away" in told for told in await asyncio.gather(*calls)} == {True}
    assert pool.figures.in_use == 0
    valve.open()
    await healed(pool)


async def test_a_slow_statement_is_no_silence(pool: Postgres, valve: Valve) -> None:
    with pytest.raises(DeadlineExceeded):
        await ask(pool, SLEEP, seconds=5 * PATIENCE)

    assert not pool.figures.is_down
    await healed(pool)


async def test_a_commit_into_silence_says_that_nobody_knows(pool: Postgres, valve: Valve) -> None:
    async with asyncio.timeout(SOON), pool.transaction("tenant", lambda: None) as transaction:
        await transaction.all(NOTHING)
        valve.shut()
        with pytest.raises(DependencyUnavailable, match="may or may not have been"):
            await transaction.commit()

    valve.open()
    await healed(pool)


async def test_a_statement_ends_with_the_deadline_of_its_call(crm: Crm, pool: Postgres) -> None:
    async with asyncio.timeout(SOON):
        with pytest.raises(DeadlineExceeded):
            await ask(pool, SLEEP, seconds=0.3)

    assert await crm.owner.fetchval(ASLEEP) == 0
    await healed(pool)


async def test_a_full_pool_is_told_from_a_lost_postgres(pool: Postgres) -> None:
    holders = [asyncio.create_task(ask(pool, SLEEP)) for _ in range(SIZE)]
    await until(lambda: pool.figures.in_use == SIZE)
    waiting = asyncio.create_task(refused(pool))
    await until(lambda: pool.figures.waiting == 1)

    assert await pool.standing() == "no_free_connection"
    assert "no free connection" in await waiting
    assert await pool.standing() == "ok", "nobody waits any more"
    assert (pool.figures.waits, pool.figures.refused) == (1, 1)
    assert pool.figures.waited_seconds > 0
    for holder in holders:
        holder.cancel()
    await asyncio.wait(holders)
    await healed(pool)


async def test_a_postgres_that_takes_no_more_connections_is_told_from_a_lost_one(crm: Crm, pool: Postgres) -> None:
    name = await crm.owner.fetchval("select current_database()")
    await crm.owner.execute(f"alter database {name} connection limit 2")  # the owner has one
    holder = asyncio.create_task(ask(pool, SLEEP))
    await until(lambda: pool.figures.in_use == 1)

    assert "no free connection" in await refused(pool)
    assert await pool.standing() == "no_free_connection"
    holder.cancel()
    await asyncio.wait([holder])
    assert await ask(pool) == 1, "whom a connection is left can be served"
    await crm.owner.execute(f"alter database {name} connection limit -1")
    await healed(pool)


async def test_a_server_that_gets_no_connection_at_all_is_not_ready(crm: Crm, pool: Postgres) -> None:
    name = await crm.owner.fetchval("select current_database()")
    await crm.owner.execute(f"alter database {name} connection limit 0")

    assert "no free connection" in await refused(pool)
    assert await pool.standing() == "unavailable"
    await crm.owner.execute(f"alter database {name} connection limit -1")
    await healed(pool)


async def test_a_login_that_is_refused_counts_as_lost_until_it_is_not(crm: Crm, pool: Postgres) -> None:
    login = urlsplit(crm.server_url).username
    await crm.owner.execute(f"alter role {login} nologin")
    try:
        assert "cannot be reached" in await refused(pool)
        assert await pool.standing() == "unavailable"
    finally:
        await crm.owner.execute(f"alter role {login} login")
    await healed(pool)


async def test_callers_who_give_up_amid_silence_take_nothing_along(pool: Postgres, valve: Valve) -> None:
    await healed(pool)
    valve.shut()
    callers = [asyncio.create_task(ask(pool)) for _ in range(5 * SIZE)]
    await asyncio.sleep(PATIENCE / 4)
    for caller in callers:
        caller.cancel()
    async with asyncio.timeout(SOON):
        await asyncio.wait(callers)

    valve.open()
    await healed(pool)


async def test_a_host_that_is_silent_is_passed_over(crm: Crm, valve: Valve) -> None:
    async with Valve(crm.server_url).listening() as dead:
        dead.shut()
        async with Postgres(at(crm.server_url, dead.port, valve.port), size=SIZE, acquire_seconds=2) as pool:
            assert await ask(pool) == 1
            tried = dead.connections
            async with asyncio.TaskGroup() as group:
                for _ in range(SIZE):
                    group.create_task(ask(pool))
            assert dead.connections == tried, "the host that answered is asked first"


async def test_a_connection_over_a_network_is_kept_alive(pool: Postgres) -> None:
    """Else nobody would notice that the other machine is gone while nothing is sent."""
    connection: Any = await pool.acquire(1)
    try:
        peer = connection._transport.get_extra_info("socket")
        assert peer.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) > 0
    finally:
        await pool.give_back(connection, "")


async def test_a_pool_closes_although_nobody_answers(crm: Crm, valve: Valve) -> None:
    async with asyncio.timeout(SOON):
        async with Postgres(at(crm.server_url, valve.port), size=SIZE, acquire_seconds=PATIENCE) as pool:
            await ask(pool)
            valve.shut()
            await refused(pool)


LEFT = """
    select count(*)
      from pg_stat_activity
     where datname = current_database() and usename = $1 and state like 'idle in transaction%'
"""
WHO = Query(
    "who", "-- Who reads, and from when on.\nselect current_setting('mcp.tenant_id') as tenant, now() as moment", ()
)


async def who(pool: Postgres, tenant: str, statement: Query = WHO) -> tuple[str, Any]:
    async with pool.snapshot(tenant, lambda: None) as snapshot:
        row = await snapshot.first(statement)
    assert row is not None
    return row["tenant"], row["moment"]


async def test_what_was_left_open_ends_with_the_next_opening_and_by_itself_where_there_is_none(crm: Crm) -> None:
    login = urlsplit(crm.server_url).username
    async with Postgres(crm.server_url, size=SIZE, acquire_seconds=5) as pool:
        found = [await who(pool, f"tenant-{number % 3}") for number in range(20)]
        await asyncio.gather(*(who(pool, f"tenant-{number}") for number in range(20)))

        async with asyncio.timeout(SOON):
            while await crm.owner.fetchval(LEFT, login):  # noqa: ASYNC110 - it happens in another process
                await asyncio.sleep(0.01)
        assert (await who(pool, "after"))[0] == "after"
        figures = pool.figures

    assert [tenant for tenant, _ in found] == [f"tenant-{number % 3}" for number in range(20)]
    moments = [moment for _, moment in found]
    assert moments == sorted(set(moments)), "each has a transaction of its own"
    assert figures.in_use == 0 and figures.connected <= SIZE


async def test_who_reads_after_a_change_sees_it_although_a_transaction_was_left_open(crm: Crm) -> None:
    counted = Query("counted", "-- Count.\nselect count(*) as n from mcp.settings", ())
    async with Postgres(crm.server_url, size=1, acquire_seconds=5) as pool:
        for number in range(5):
            async with pool.snapshot("tenant", lambda: None) as snapshot:
                row = await snapshot.first(counted)
                assert row is not None and row["n"] == number
            await crm.owner.execute(
                "insert into mcp_store.tenant_settings (tenant_id, key, value) values ('tenant', $1, '1')", f"k{number}"
            )


async def test_a_writer_does_not_write_in_a_transaction_that_a_reader_left(crm: Crm) -> None:
    states = Query(
        "states",
        "-- How.\nselect current_setting('transaction_read_only') as reads, current_setting('role') as role",
        (),
    )
    async with Postgres(crm.server_url, size=1, acquire_seconds=5) as pool:
        for _ in range(3):
            await ask(pool)
            async with pool.transaction("tenant", lambda: None) as transaction:
                row = await transaction.first(states)
                assert row is not None and (row["reads"], row["role"]) == ("off", "mcp_writer")


@pytest.mark.parametrize("pooler", ["auto", "transaction", "session"])
async def test_plans_are_for_any_parameters_and_idle_transactions_end_whoever_stands_between(
    crm: Crm, pooler: Pooler
) -> None:
    sets = Query(
        "sets",
        "-- What is set.\nselect current_setting('plan_cache_mode') as plans,"
        " current_setting('idle_in_transaction_session_timeout') as idle",
        (),
    )
    anew = replace(sets, planned_anew=True)
    async with Postgres(crm.server_url, size=1, acquire_seconds=5, pooler=pooler) as pool:
        for kind in (pool.snapshot, pool.transaction, pool.snapshot):
            async with kind("tenant", lambda: None) as database:
                first = await database.first(sets)
                chosen = await database.first(anew)
            assert first is not None and (first["plans"], first["idle"]) == ("force_generic_plan", "1min")
            assert chosen is not None and chosen["plans"] == "auto"
        connection = await pool.acquire(1)
        await pool.open(connection, "select")
        outside = await connection.fetchval("show plan_cache_mode")
        await pool.give_back(connection, "rollback")

    assert outside == ("force_generic_plan" if pooler == "auto" else "auto")
