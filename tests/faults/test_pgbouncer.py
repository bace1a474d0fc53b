"""Behind PgBouncer in transaction mode, where each transaction may meet another backend."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from random import Random

import pytest

from rpc_server.backends.postgres import Postgres
from rpc_server.calls.layers.deadline import deadline
from rpc_server.calls.layers.permit import permit
from rpc_server.calls.layers.validate import validate
from rpc_server.contract.errors import DependencyUnavailable
from rpc_server.contract.query import Query
from tests.commands.program import command
from tests.conftest import Crm
from tests.faults.pooler import BACKENDS, PROGRAM, PgBouncer, pgbouncer
from tests.tenancy.crowd import TENANTS, Tally, crowd, sometimes
from tests.tenancy.rows import fill
from tests.tenancy.test_under_load import DISTURBED, hurried, through

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="needs pgbouncer (on Debian and Ubuntu: apt install pgbouncer)")

# More connections than backends: each of a pool's is served by all of them.
CONNECTIONS = 4 * BACKENDS
NOTHING = Query("nothing", "-- Nothing.\nselect $1::integer as given", ("given",))
KEPT = Query("kept", "-- What is prepared.\nselect name from pg_prepared_statements", ())
SLEEP = Query("sleep", "-- Not soon.\nselect pg_sleep(60)", ())


@pytest.fixture
async def crowded(crm: Crm) -> Crm:
    """All tenants, with fresh statistics."""
    async with crm.owner.transaction():
        for tenant in TENANTS:
            await fill(crm.owner, tenant, crm.now)
    await crm.owner.execute("analyze")
    return crm


@pytest.fixture
def pooler(crm: Crm, tmp_path: Path) -> Iterator[PgBouncer]:
    """The way to the test's PostgreSQL."""
    with pgbouncer(tmp_path, crm.server_url) as pooler:
        yield pooler


@pytest.fixture
async def pool(pooler: PgBouncer) -> AsyncIterator[Postgres]:
    """A pool that finds out by itself what it is behind."""
    async with Postgres(pooler.url, size=CONNECTIONS, acquire_seconds=30) as pool:
        yield pool


async def ask(pool: Postgres, given: int = 1) -> int:
    """Run a query in a transaction of its own."""
    async with pool.snapshot("tenant", lambda: None) as snapshot:
        row = await snapshot.first(NOTHING, given=given)
        assert row is not None
        number: int = row["given"]
        return number


async def test_a_pooler_is_noticed_and_no_statement_is_kept_on_its_backends(crm: Crm, pool: Postgres) -> None:
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(ask(pool, number)) for number in range(10 * CONNECTIONS)]

    assert [task.result() for task in asked] == list(range(10 * CONNECTIONS))
    assert pool._connector.is_pooled
    assert 1 <= await _backends(crm) <= BACKENDS
    async with pool.snapshot("tenant", lambda: None) as snapshot:
        assert (
            await snapshot.all(Query("kept", "-- What is prepared.\nselect name from pg_prepared_statements", ())) == []
        )


async def test_without_a_pooler_statements_are_kept(crm: Crm) -> None:
    async with Postgres(crm.server_url, size=1, acquire_seconds=30) as pool:
        assert [await ask(pool, number) for number in range(3)] == [0, 1, 2]
        assert not pool._connector.is_pooled


async def test_kept_statements_would_meet_strange_backends(pooler: PgBouncer) -> None:
    """What is noticed above matters: told that the backend stays the same, the pool fails, and leaks nothing."""
    async with Postgres(pooler.url, size=CONNECTIONS, acquire_seconds=30, pooler="session") as pool:
        answers = await asyncio.gather(*(ask(pool, n) for n in range(20 * CONNECTIONS)), return_exceptions=True)

    assert any(isinstance(answer, Exception) for answer in answers)


async def test_no_tenant_sees_another_through_it_while_calls_are_cut_off(crowded: Crm, pooler: PgBouncer) -> None:
    """Twenty tenants from two processes' pools, with clients that give up and deadlines that pass."""
    layers = (permit, validate)
    async with (
        Postgres(pooler.url, size=CONNECTIONS, acquire_seconds=30) as one,
        Postgres(pooler.url, size=CONNECTIONS, acquire_seconds=30, pooler="transaction") as other,
    ):
        cut_off, patient = await asyncio.gather(
            crowd(through(crowded, one, (hurried(Random(3)), *layers)), 150, seed=4, patience=sometimes),
            crowd(through(crowded, other, (deadline, *layers)), 100, seed=5, patience=lambda rng: None),
        )
        again = await crowd(through(crowded, one, (deadline, *layers)), 20, seed=6, patience=lambda rng: None)

        assert (patient.outcomes, patient.wrong) == ({"ok": 100}, [])
        assert (again.outcomes, again.wrong) == ({"ok": 20}, [])
        assert_only_disturbed(cut_off)
        assert (one.figures.in_use, other.figures.in_use) == (0, 0)


def assert_only_disturbed(tally: Tally) -> None:
    assert tally.wrong == []
    assert {"ok", "cancelled", "deadline_exceeded"} <= set(tally.outcomes) <= {"ok", *DISTURBED}, tally.outcomes


async def test_calls_that_find_all_its_backends_busy_are_told_soon(pooler: PgBouncer) -> None:
    async with Postgres(pooler.url, size=CONNECTIONS, acquire_seconds=0.5) as pool:
        await ask(pool)
        holders = [asyncio.create_task(_sleep(pool)) for _ in range(BACKENDS)]
        assert "no free connection" in await _until_refused(pool)
        for holder in holders:
            assert not holder.done(), "what runs is left alone"
            holder.cancel()
        await asyncio.wait(holders)
        await _until_answered(pool)


async def test_it_may_be_restarted(pool: Postgres, pooler: PgBouncer) -> None:
    await ask(pool)
    pooler.kill()
    await _until_refused(pool)
    assert await pool.standing() == "unavailable"

    pooler.start()
    await _until_answered(pool)
    assert await pool.standing() == "ok"


def test_the_schema_is_not_migrated_through_it(crm: Crm, pooler: PgBouncer) -> None:
    said = command("migrate", DATABASE_OWNER_URL=pooler.url)

    said.refused("pooler", "DATABASE_OWNER_URL")


async def _sleep(pool: Postgres) -> None:
    async with pool.snapshot("tenant", lambda: None) as snapshot:
        await snapshot.all(SLEEP)


async def _until_refused(pool: Postgres) -> str:
    """Return what the first caller is told that gets no answer."""
    async with asyncio.timeout(10):
        while True:
            try:
                await ask(pool)
            except DependencyUnavailable as refused:
                return refused.message


async def _until_answered(pool: Postgres) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                await ask(pool)
                return
            except DependencyUnavailable:
                await asyncio.sleep(0.02)


async def _backends(crm: Crm) -> int:
    number: int = await crm.owner.fetchval(
        "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'crm-mcp'"
    )
    return number
