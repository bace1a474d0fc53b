"""What opens a transaction goes ahead of its first statement: as if it had been sent by itself, whatever happens."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime

import pytest

from rpc_server.backends.postgres import Postgres
from rpc_server.contract.errors import DeadlineExceeded
from rpc_server.contract.query import Query, Row
from tests.conftest import Crm
from tests.faults.waiting import until

WHERE = Query(
    "where",
    """-- Where a statement runs.
    select current_user::text as role,
           current_setting('mcp.tenant_id') as tenant,
           current_setting('transaction_isolation') as isolation,
           current_setting('transaction_read_only') as read_only,
           current_setting('statement_timeout') as timeout,
           pg_current_snapshot()::text as snapshot,
           pg_backend_pid() as backend,
           now() as began_at""",
    (),
)
ECHO = Query("echo", "-- $1 moment timestamptz\nselect $1::timestamptz as moment", ("moment",))
SLEEP = Query("sleep", "-- Not soon.\nselect pg_sleep(60)", ())


@pytest.fixture
async def pool(crm: Crm) -> AsyncIterator[Postgres]:
    """A pool of a single connection, so that each transaction follows the one before."""
    async with Postgres(crm.server_url, size=1, acquire_seconds=5) as pool:
        yield pool


async def where(pool: Postgres, tenant: str, *, seconds: float | None = None) -> Row:
    """Ask where a statement of *tenant* runs."""
    deadline = None if seconds is None else asyncio.get_running_loop().time() + seconds
    async with pool.snapshot(tenant, lambda: deadline) as snapshot:
        row = await snapshot.first(WHERE)
    assert row is not None
    return row


async def test_it_opens_the_same_transaction_as_by_itself(pool: Postgres) -> None:
    rows = [await where(pool, tenant) for tenant in ("a", "o'hara", "a", "c\\d")]

    assert {row["backend"] for row in rows} == {rows[0]["backend"]}
    assert [row["tenant"] for row in rows] == ["a", "o'hara", "a", "c\\d"]
    for row in rows:
        assert (row["role"], row["isolation"], row["read_only"]) == ("mcp_reader", "repeatable read", "on")
    assert len({row["began_at"] for row in rows}) == 4


async def test_it_bounds_the_time_of_statements(pool: Postgres) -> None:
    await where(pool, "a")

    told = (await where(pool, "a", seconds=7))["timeout"]
    assert told.endswith("ms")
    assert 6000 < int(told.removesuffix("ms")) <= 7000
    for _ in range(2):
        with pytest.raises(DeadlineExceeded):
            async with pool.snapshot("a", lambda: asyncio.get_running_loop().time() + 0.05) as snapshot:
                await snapshot.all(SLEEP)
    assert (await where(pool, "b"))["tenant"] == "b"


async def test_all_statements_of_a_snapshot_see_the_same_moment(pool: Postgres, crm: Crm) -> None:
    await where(pool, "a")

    async with pool.snapshot("a", lambda: None) as snapshot:
        first = await snapshot.first(WHERE)
        await crm.owner.execute("select pg_current_xact_id()")
        second = await snapshot.first(WHERE)
    assert first == second
    third = await where(pool, "a")
    assert third["snapshot"] != first["snapshot"]  # type: ignore[index]


async def test_it_takes_one_round_trip(pool: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    await where(pool, "a")
    opened: list[str] = []
    monkeypatch.setattr(Postgres, "open", lambda *arguments: opened.append("by itself"))

    await where(pool, "b")
    assert opened == []


async def test_a_value_that_cannot_be_sent_leaves_no_transaction_behind(pool: Postgres) -> None:
    for moment in (datetime(2026, 7, 1), "no moment"):  # noqa: DTZ001 - asyncpg takes it as UTC
        for tenant in ("a", "b"):
            async with pool.snapshot(tenant, lambda: None) as snapshot:
                if isinstance(moment, str):
                    with pytest.raises(Exception, match="expected a datetime"):
                        await snapshot.all(ECHO, moment=moment)
                else:
                    await snapshot.all(ECHO, moment=moment)
    for tenant in ("c", "d"):
        assert (await where(pool, tenant))["tenant"] == tenant
    assert pool.figures.in_use == 0


async def test_a_caller_who_goes_away_leaves_the_connection_to_others(pool: Postgres, crm: Crm) -> None:
    sleepers = "select count(*) from pg_stat_activity where state = 'active' and query like '%pg_sleep(60)'"
    with pytest.raises(DeadlineExceeded):
        async with pool.snapshot("a", lambda: asyncio.get_running_loop().time() + 0.05) as snapshot:
            await snapshot.all(SLEEP)
    backend = (await where(pool, "a"))["backend"]

    async def call() -> None:
        async with pool.snapshot("a", lambda: None) as snapshot:
            await snapshot.all(SLEEP)

    for _ in range(3):
        task = asyncio.create_task(call())
        async with asyncio.timeout(5):
            while not await crm.owner.fetchval(sleepers):
                pass
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
    await until(lambda: pool.figures.in_use == 0)
    there = await where(pool, "b")
    assert (there["tenant"], there["backend"]) == ("b", backend)
