"""The server makes facts of what is marked, and leaves a database alone that keeps none."""

import asyncio

import pytest

from rpc_server.backends import facts
from rpc_server.backends.facts import FactsRefresher
from rpc_server.backends.metrics import Metrics
from rpc_server.backends.postgres import Postgres
from rpc_server.calls.measures import FACTS_WAITING
from tests.conftest import Crm
from tests.facts.changes import TENANTS
from tests.facts.conftest import two
from tests.facts.facts import differences, kept
from tests.tools.world import insert


def one_connection(crm: Crm) -> Postgres:
    return Postgres(crm.server_url, size=1, acquire_seconds=5)


async def until(crm: Crm, sql: str) -> None:
    """Wait until the database says yes."""
    async with asyncio.timeout(30):
        while not await crm.owner.fetchval(sql):  # noqa: ASYNC110 - only the database knows
            await asyncio.sleep(0.01)


async def test_marks_are_taken_by_the_login_of_the_server(crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "_IDLE_SECONDS", 0.01)
    await insert(two(5), crm.owner)

    async with one_connection(crm) as postgres, FactsRefresher(postgres):
        await until(crm, "select not exists (select from mcp_store.fact_marks)")

    assert min((await kept(crm.owner, "tenant-a")).values()) > 10
    assert await differences(crm.owner, *TENANTS) == []


async def test_a_server_tells_about_how_many_marks_wait(crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "_IDLE_SECONDS", 0.01)
    await insert(two(5), crm.owner)
    marks = await crm.owner.fetchval("select count(*) from mcp_store.fact_marks")
    metrics = Metrics([FACTS_WAITING], {})

    # Another one is at it, and takes none.
    await crm.owner.execute("select pg_advisory_lock(hashtextextended('mcp facts', 0))")
    async with one_connection(crm) as postgres, FactsRefresher(postgres, metrics):
        assert marks > 10
        await shown(crm, metrics, marks)
        await crm.owner.execute("select pg_advisory_unlock(hashtextextended('mcp facts', 0))")
        await shown(crm, metrics, 0)


async def shown(crm: Crm, metrics: Metrics, waiting: int) -> None:
    """Wait until so many marks are shown: a session tells what it changed a second later, with its next statement."""
    async with asyncio.timeout(30):
        while f"crm_mcp_facts_waiting {waiting}.0\n" not in metrics.render().decode():
            await crm.owner.execute("select 1")
            await asyncio.sleep(0.01)


async def test_a_failure_is_tried_again(crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "_IDLE_SECONDS", 0.01)
    monkeypatch.setattr(facts, "_FAILED_SECONDS", 0.01)
    await insert(two(5), crm.owner)
    marks = await crm.owner.fetchval("select count(*) from mcp_store.fact_marks")
    await crm.owner.execute("alter table mcp_store.fact_waits rename to elsewhere")
    metrics = Metrics([FACTS_WAITING], {})

    async with one_connection(crm) as postgres, FactsRefresher(postgres, metrics) as refresher:
        async with asyncio.timeout(30):
            while not refresher.is_failing:  # noqa: ASYNC110 - it tells nobody else
                await asyncio.sleep(0.01)
        await shown(crm, metrics, marks)
        await crm.owner.execute("alter table mcp_store.elsewhere rename to fact_waits")
        await until(crm, "select not exists (select from mcp_store.fact_marks)")


async def test_a_database_without_facts_is_left_alone(crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "_IDLE_SECONDS", 0.01)
    await crm.owner.execute("drop function mcp.refresh_facts(integer); drop table mcp_store.fact_marks cascade")

    metrics = Metrics([FACTS_WAITING], {})

    async with one_connection(crm) as postgres, FactsRefresher(postgres, metrics) as refresher:
        async with asyncio.timeout(30):
            await refresher.ended()

        assert not refresher.is_failing
        assert "\ncrm_mcp_facts_waiting" not in metrics.render().decode()
