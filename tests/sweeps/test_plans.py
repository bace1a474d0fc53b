"""Plans: no query that looks at many rows scans a big table, and each uses the index its file names."""

import asyncio
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import pytest

from handlers.demo import DemoPlan
from rpc_server.commands.demo import load
from rpc_server.contract.query import SQL_FOLDER, query
from tests.database import Cluster, cloned

NOW = datetime(2026, 11, 22, tzinfo=UTC)
TENANTS, CONTACTS = 20, 250
FAMILIES = ("leads", "performance")
BIG = {
    "contacts",
    "messages",
    "sessions",
    "agent_sessions",
    "contact_pipeline_statuses",
    "contact_events",
    "session_ratings",
    "qualifications",
    "assignments",
}
MONTH: dict[str, Any] = {
    "start": NOW - timedelta(days=30),
    "end": NOW,
    "now": NOW,
    "previous_start": NOW - timedelta(days=60),
    "previous_end": NOW - timedelta(days=30),
    "status": "all",
    "bucket": "day",
    "time_zone": "America/Sao_Paulo",
    "window_days": 90,
    "agent_ids": None,
    "agent_id": UUID(int=0),
    "type": None,
    "active": None,
    "opens": [],
    "closes": [],
}
MODES = ("force_custom_plan", "force_generic_plan")
QUERIES = [
    *sorted(f"{path.parent.name}/{path.stem}" for path in SQL_FOLDER.glob("*/*.sql") if path.parent.name in FAMILIES),
    "directory/list_agents",
    "operations/get_agent",
]


Plans = dict[tuple[str, str], dict[str, Any]]


@pytest.fixture(scope="module")
def plans(cluster: Cluster) -> Plans:
    """Give both plans of every query on a database of many tenants, as the reader gets them.

    The plan for these parameters, and the one for any, which PostgreSQL takes to when a connection has run a
    statement five times.
    """

    async def explain() -> Plans:
        async with cloned(cluster) as database:
            owner = await asyncpg.connect(cluster.owner_url(database))
            for number in range(TENANTS):
                await load(owner, DemoPlan(f"tenant-{number}", CONTACTS, seed=number, until=NOW), lambda done: None)
            await owner.execute("vacuum analyze")
            found = {(name, mode): await _plan(owner, name, mode) for name in QUERIES for mode in MODES}
            await owner.close()
            return found

    return asyncio.run(explain())


async def _plan(connection: "asyncpg.Connection[asyncpg.Record]", name: str, mode: str) -> dict[str, Any]:
    asked = query(name)
    async with connection.transaction():
        await connection.execute(
            f"set local role mcp_reader; set local mcp.tenant_id = 'tenant-3'; set local plan_cache_mode = {mode}"
        )
        if mode == "force_custom_plan":
            values = [MONTH[parameter] for parameter in asked.parameters]
            found = await connection.fetchval(f"explain (format json) {asked.text}", *values)
        else:
            await connection.execute(f"prepare asked as {asked.text}")
            nulls = ", ".join(["null"] * len(asked.parameters))
            found = await connection.fetchval(f"explain (format json) execute asked{f'({nulls})' if nulls else ''}")
            await connection.execute("deallocate asked")
    plan: dict[str, Any] = orjson.loads(found)[0]["Plan"]
    return plan


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Walk a plan."""
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", QUERIES)
def test_no_big_table_is_scanned_whole(plans: Plans, name: str, mode: str) -> None:
    scanned = {node["Relation Name"] for node in nodes(plans[name, mode]) if node["Node Type"] == "Seq Scan"}

    assert scanned & BIG == set()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", QUERIES)
def test_a_query_uses_the_indexes_that_its_file_names(plans: Plans, name: str, mode: str) -> None:
    header = (SQL_FOLDER / f"{name}.sql").read_text().split("\nselect")[0]
    named = {index for index in re.findall(r"\w+_idx\b", header) if not index.startswith(("agents_", "pipelines_"))}
    used = {node["Index Name"] for node in nodes(plans[name, mode]) if "Index Name" in node}

    assert named <= used
