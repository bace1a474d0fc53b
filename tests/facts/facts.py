"""Facts, and what they must equal."""

from collections import Counter
from typing import Any

from tests.facts.counts import wrong_counts
from tests.tenancy.access import Connection, acting

FACTS = ("journeys", "waits", "leads")


async def answered(connection: Connection, tenant: str, prefix: str = "") -> dict[str, Counter[str]]:
    """Return the rows that queries read, or with the prefix "live_" those that follow from the CRM's rows."""
    found = {}
    async with acting(connection, tenant, "mcp_owner"):
        for name in FACTS:
            rows = await connection.fetch(f"select to_jsonb(v)::text from mcp.{prefix}{name} v")
            found[name] = Counter(row[0] for row in rows)
    return found


async def differences(connection: Connection, *tenants: str) -> list[str]:
    """Return the rows that queries read too many or too few."""
    wrong = []
    for tenant in tenants:
        # In one snapshot: others may be making facts.
        isolation: Any = None if connection.is_in_transaction() else "repeatable_read"
        async with connection.transaction(isolation=isolation):
            are, should = await answered(connection, tenant), await answered(connection, tenant, "live_")
        wrong += await wrong_sums(connection, tenant) + await wrong_periods(connection, tenant)
        wrong += await wrong_counts(connection, tenant)
        for name in FACTS:
            wrong += [f"{tenant}: too many {name}: {row}" for row in are[name] - should[name]]
            wrong += [f"{tenant}: too few {name}: {row}" for row in should[name] - are[name]]
    return wrong


async def wrong_sums(connection: Connection, tenant: str) -> list[str]:
    """Return where the sums of leads are not those of the leads, in quarters of an hour."""
    async with acting(connection, tenant, "mcp_owner"):
        rows = await connection.fetch(
            """
            select date_bin('15 minutes', at, '2000-01-01 00:00+00') as slot, leads, qualified, decided, opportunities
              from (select l.created_at as at, count(*) as leads,
                           count(*) filter (where status = 'qualified') as qualified,
                           0 as decided, count(*) filter (where is_opportunity) as opportunities
                      from mcp.live_leads l group by 1
                     union all
                    select l.decided_at, 0, 0, count(*), 0 from mcp.live_leads l where status = 'qualified' group by 1
                     union all
                    select s.slot, -s.leads, -s.qualified, -s.decided, -s.opportunities from mcp.lead_slots s) found
            """
        )
    sums: dict[str, Counter[str]] = {}
    for row in rows:
        total = sums.setdefault(str(row["slot"]), Counter())
        for name in ("leads", "qualified", "decided", "opportunities"):
            total[name] += row[name]
    return [f"{tenant}: sums of {slot} are off by {dict(total)}" for slot, total in sums.items() if any(total.values())]


async def wrong_periods(connection: Connection, tenant: str) -> list[str]:
    """Return the periods whose sums of leads are not those of the leads; they begin and end when leads came."""
    async with acting(connection, tenant, "mcp_owner"):
        rows = await connection.fetch(
            """
            with leads as materialized (select l.* from mcp.live_leads l),
            periods as (select min(l.created_at) as since,
                               percentile_disc(0.6) within group (order by l.created_at) as until
                          from leads l having count(*) > 0
                         union all
                        select percentile_disc(0.3) within group (order by l.created_at),
                               date_bin('1 hour', max(l.decided_at), '2000-01-01 00:00+00')
                          from leads l having count(l.decided_at) > 0)
            select p.since, p.until, asked.sums, counted.sums
              from periods p
             cross join lateral (select to_jsonb(s) as sums from mcp.lead_sums(p.since, p.until) s) asked
             cross join lateral (
                   select jsonb_build_object(
                              'leads', count(*) filter (where created.yes),
                              'qualified', count(*) filter (where created.yes and l.status = 'qualified'),
                              'unqualified', count(*) filter (where created.yes and l.status = 'unqualified'),
                              'opportunities', count(*) filter (where created.yes and l.is_opportunity),
                              'decided', count(*) filter (where l.status = 'qualified' and l.decided_at >= p.since
                                                                and l.decided_at < p.until)) as sums
                     from leads l
                    cross join lateral (select l.created_at >= p.since and l.created_at < p.until as yes) created
                   ) counted
             where asked.sums <> counted.sums
            """
        )
    return [f"{tenant}: sums of leads of {row}" for row in rows]


async def kept(connection: Connection, tenant: str) -> dict[str, int]:
    """Return how many facts are kept for a tenant, whatever they are worth."""
    return {
        name: await connection.fetchval(f"select count(*) from mcp_store.fact_{name} where tenant_id = $1", tenant)
        for name in FACTS
    }
