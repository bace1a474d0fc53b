"""What queries read is what follows from the rows, after every change, whenever facts are made."""

import asyncio
from contextlib import suppress
from random import Random

import asyncpg
import pytest

from rpc_server.contract.query import SQL_FOLDER
from tests.conftest import Crm
from tests.database import settle
from tests.facts.changes import TENANTS, change
from tests.facts.conftest import NOW, two
from tests.facts.facts import answered, differences, kept
from tests.tenancy.access import Connection
from tests.tools.office import Office
from tests.tools.world import insert

CHANGES = 60


async def test_facts_are_kept_of_all_that_follows(settled: Crm) -> None:
    for tenant in TENANTS:
        found = await answered(settled.owner, tenant, "live_")

        assert await kept(settled.owner, tenant) == {name: rows.total() for name, rows in found.items()}
        assert min(rows.total() for rows in found.values()) > 50
    assert await settled.owner.fetchval("select count(*) from mcp_store.fact_marks") == 0
    assert await differences(settled.owner, *TENANTS) == []


@pytest.mark.parametrize("seed", range(6))
async def test_after_every_change_answers_are_those_of_the_rows(settled: Crm, seed: int) -> None:
    rng = Random(seed)
    for _ in range(CHANGES):
        what = await change(settled.owner, rng)
        assert await differences(settled.owner, *TENANTS) == [], what
        if rng.random() < 0.5:
            await settled.owner.fetchval("select mcp.refresh_facts($1)", rng.choice([1, 2, 5, 1000]))
            assert await differences(settled.owner, *TENANTS) == [], f"facts made after {what}"
    await settle(settled.owner)
    assert await differences(settled.owner, *TENANTS) == []


async def test_a_transaction_reads_its_own_changes(settled: Crm) -> None:
    rng = Random(1)
    async with settled.owner.transaction():
        for _ in range(20):
            what = await change(settled.owner, rng)
            assert await differences(settled.owner, *TENANTS) == [], what


async def test_what_is_undone_leaves_nothing(settled: Crm) -> None:
    before = [await answered(settled.owner, tenant) for tenant in TENANTS]
    with suppress(ZeroDivisionError):
        async with settled.owner.transaction():
            await settled.owner.execute("delete from public.messages")
            await settled.owner.fetchval("select mcp.refresh_facts(1000)")
            raise ZeroDivisionError

    assert [await answered(settled.owner, tenant) for tenant in TENANTS] == before


@pytest.mark.parametrize("table", ["messages", "agent_sessions", "contact_pipeline_statuses", "sessions"])
async def test_an_emptied_table_is_noticed(settled: Crm, table: str) -> None:
    await settled.owner.execute(f"truncate public.{table} cascade")

    assert await differences(settled.owner, *TENANTS) == []


@pytest.mark.parametrize("migration", ["0008_facts", "0009_cheaper_reads"])
async def test_rows_that_were_there_before_facts_are_all_marked(crm: Crm, migration: str) -> None:
    await crm.owner.execute("set session_replication_role = replica")
    await insert(two(4), crm.owner)
    await crm.owner.execute("set session_replication_role = origin")
    text = (SQL_FOLDER / "crm" / f"{migration}.sql").read_text(encoding="utf-8")

    await crm.owner.execute(text[text.index("\n-- Rows that were there before.") :])

    assert await differences(crm.owner, *TENANTS) == []
    assert (await answered(crm.owner, "tenant-a"))["journeys"].total() > 50


async def test_writers_and_makers_of_facts_at_once(settled: Crm) -> None:
    """Four write, two make facts, in turns that nobody plans; readers find nothing wrong at any moment."""
    done = asyncio.Event()

    async def write(number: int) -> None:
        connection = await asyncpg.connect(settled.owner_url)
        rng = Random(number)
        try:
            for _ in range(25):
                with suppress(asyncpg.DeadlockDetectedError):
                    async with connection.transaction():
                        await change(connection, rng)
                        await change(connection, rng)
        finally:
            await connection.close()

    async def make(most: int) -> None:
        connection = await asyncpg.connect(settled.owner_url)
        try:
            while not done.is_set():
                await connection.fetchval("select mcp.refresh_facts($1)", most)
        finally:
            await connection.close()

    async def read() -> list[str]:
        connection, found = await asyncpg.connect(settled.owner_url), []
        try:
            while not done.is_set():
                found += await differences(connection, *TENANTS)
        finally:
            await connection.close()
        return found

    others = [asyncio.ensure_future(task) for task in (make(3), make(50))]
    reader = asyncio.ensure_future(read())
    await asyncio.gather(*(write(number) for number in range(4)))
    done.set()
    await asyncio.gather(*others)

    assert await reader == []
    assert await differences(settled.owner, *TENANTS) == []
    await settle(settled.owner)
    assert await differences(settled.owner, *TENANTS) == []


async def test_changes_by_the_tools_show_at_once(crm: Crm) -> None:
    office = Office(crm, "acme")
    await office.open()
    owner, tenant = crm.owner, office.tenant
    await settle(owner)
    rita = {"contact_id": str(office.rita.id)}
    won = {"pipeline_id": str(office.sales.id), "stage_id": str(office.stages["won"].id)}
    for tool, arguments in (
        ("assign_to_agent", {**rita, "agent_id": str(office.bia.id)}),
        ("update_pipeline_stage", {**rita, **won}),
        ("qualify_lead", {**rita, "status": "qualified"}),
    ):
        await crm.call(tool, arguments, tenant=tenant)

        assert await differences(owner, tenant) == [], tool
    assert await owner.fetchval("select exists (select from mcp_store.fact_marks where tenant_id = $1)", tenant)
    await settle(owner)
    assert await differences(owner, tenant) == []


async def test_one_at_a_time_makes_facts(settled: Crm) -> None:
    other: Connection = await asyncpg.connect(settled.owner_url)
    try:
        await settled.owner.execute("update public.messages set deleted_at = now()")
        async with settled.owner.transaction():
            assert await settled.owner.fetchval("select mcp.refresh_facts(1)") == 1
            assert await other.fetchval("select mcp.refresh_facts(1)") is None
        assert await other.fetchval("select mcp.refresh_facts(1)") == 1
    finally:
        await other.close()


async def test_facts_are_not_made_from_an_old_snapshot(settled: Crm) -> None:
    async with settled.owner.transaction(isolation="repeatable_read"):
        with pytest.raises(asyncpg.RaiseError):
            await settled.owner.fetchval("select mcp.refresh_facts(1)")


async def test_figures_are_the_same_before_and_after_facts_are_made(crm: Crm) -> None:
    await insert(two(8), crm.owner)
    questions = [
        ("get_agent_conversion_stats", {"start_date": "2026-01-01", "end_date": "2026-11-18"}),
        *[
            ("get_top_performing_agent", {"metric": metric, "period": "quarter"})
            for metric in ("conversion_rate", "win_rate", "response_time")
        ],
    ]
    before = [await crm.call(name, asked, tenant="tenant-a", now=NOW) for name, asked in questions]

    await settle(crm.owner)

    assert [await crm.call(name, asked, tenant="tenant-a", now=NOW) for name, asked in questions] == before
    assert before[0]["team"]["total_contacts"] > 10
