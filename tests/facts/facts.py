"""Facts, and what they must equal."""

from collections import Counter
from typing import Any

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
        wrong += await wrong_sums(connection, tenant)
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


async def kept(connection: Connection, tenant: str) -> dict[str, int]:
    """Return how many facts are kept for a tenant, whatever they are worth."""
    return {
        name: await connection.fetchval(f"select count(*) from mcp_store.fact_{name} where tenant_id = $1", tenant)
        for name in FACTS
    }
