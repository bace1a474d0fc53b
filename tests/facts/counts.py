"""Counts of waits, and what they must equal."""

from datetime import datetime, timedelta
from typing import Any

from rpc_server.contract.query import query
from tests.tenancy.access import Connection, acting

LIST_RESPONSE_TIMES = query("performance/list_response_times")
# Business hours that never end: then every wait is measured and sorted, and lasts as long as without any.
ALWAYS = {
    "time_zone": "UTC",
    "opens": [86400 * day for day in range(7)],
    "closes": [86400 * (day + 1) for day in range(7)],
}
WHENEVER = {"time_zone": "UTC", "opens": [], "closes": []}
# A day's counts, and the moment by which all was over, against its waits.
_WRONG = """
with days as (select d.day, d.latest from mcp_store.fact_wait_days d where d.tenant_id = $1),
should as (
    select d.day,
           coalesce(f.agent_id, '00000000-0000-0000-0000-000000000000') as agent_id,
           mcp.wait_length(f.microseconds) as length,
           count(*) as n,
           count(*) filter (where f.from_opening) as first_n,
           bool_or(coalesce(f.until, f.since) > d.latest) as is_late
      from days d
      join mcp_store.fact_waits f
        on f.tenant_id = $1
       and f.since >= d.day
       and f.since < d.day + interval '24 hours'
     group by 1, 2, 3),
are as (
    select c.day, c.agent_id, c.length, c.n, c.first_n
      from mcp_store.fact_wait_counts c
     where c.tenant_id = $1
       and (c.n <> 0 or c.first_n <> 0))
select day, agent_id, length, a.n, a.first_n, s.n as should, s.first_n as first_should, s.is_late
  from are a
  full join should s using (day, agent_id, length)
 where (a.n, a.first_n) is distinct from (s.n, s.first_n)
    or s.is_late
"""
# Some of them begin and end within days, and some know not yet how the last waits ended.
_PERIODS = """
select least(min(f.since), min(f.since) - interval '30 hours') as start,
       max(f.since) + interval '30 hours' as "end",
       max(coalesce(f.until, f.since)) as now
  from mcp.live_waits f
having count(*) > 0
 union all
select percentile_disc(0.2) within group (order by f.since),
       percentile_disc(0.8) within group (order by f.since),
       percentile_disc(0.6) within group (order by f.since)
  from mcp.live_waits f
having count(*) > 0
"""


async def count_days_of(connection: Connection, waits: int) -> None:
    """Let every day be counted that has more than so many waits."""
    await connection.execute(
        f"create or replace function mcp.waits_worth_counting() returns integer"
        f" language sql immutable parallel safe return {waits}"
    )


async def wrong_counts(connection: Connection, tenant: str) -> list[str]:
    """Return where counts are not those of the waits that are kept, and answers that are not those of all waits."""
    async with acting(connection, tenant, "mcp_owner"):
        found = [f"{tenant}: counts of {row}" for row in await connection.fetch(_WRONG, tenant)]
        periods = await connection.fetch(_PERIODS)
    for period in periods:
        # In one snapshot: others may be changing what is asked about.
        isolation: Any = None if connection.is_in_transaction() else "repeatable_read"
        async with connection.transaction(isolation=isolation):
            told, sorted_ = [
                await response_times(connection, tenant, **period, **hours) for hours in (WHENEVER, ALWAYS)
            ]
        found += [f"{tenant}: response times of {period}"] * (told != sorted_)
    return found


async def response_times(connection: Connection, tenant: str, **asked: Any) -> list[dict[str, Any]]:
    """Return what is asked for, as a reader; of the row of nobody how many there are."""
    async with acting(connection, tenant):
        rows = await connection.fetch(LIST_RESPONSE_TIMES.text, *LIST_RESPONSE_TIMES.bind(asked))
    keys = ("agent_id", "unanswered", "n", "first_n")
    return [dict(row) if row["agent_id"] else {key: row[key] for key in keys} for row in rows]


async def counted_days(connection: Connection, tenant: str) -> set[datetime]:
    """Return the days of which there are counts."""
    rows = await connection.fetch("select day from mcp_store.fact_wait_days where tenant_id = $1", tenant)
    return {row["day"] for row in rows}


async def busy_days(connection: Connection, tenant: str, waits: int) -> set[datetime]:
    """Return the days with more than so many waits."""
    rows = await connection.fetch(
        "select date_trunc('day', since, 'UTC') as day from mcp_store.fact_waits where tenant_id = $1"
        " group by 1 having count(*) > $2",
        tenant,
        waits,
    )
    return {row["day"] for row in rows}


def whole(days: set[datetime]) -> dict[str, datetime]:
    """Return the period of all these days, long after it."""
    return {"start": min(days), "end": max(days) + timedelta(days=1), "now": max(days) + timedelta(days=4000)}
