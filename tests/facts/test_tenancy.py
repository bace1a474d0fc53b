"""Marks and facts belong to a tenant: nobody learns of another's, and who makes facts stays who it was."""

import asyncpg
import pytest

from tests.conftest import Crm
from tests.tenancy.access import Connection, acting

KEPT = (
    *("fact_keys", "fact_journeys", "fact_waits", "fact_wait_days", "fact_wait_counts", "fact_leads"),
    "fact_lead_slots",
)
MARKED = "select contact from mcp.marked_contacts() contact"


async def marked(connection: Connection, tenant: str | None, role: str = "mcp_reader") -> set[str]:
    """Return the contacts whose rows are asked instead of their facts, as a tenant."""
    async with acting(connection, tenant, role):
        return {str(row[0]) for row in await connection.fetch(MARKED)}


@pytest.mark.parametrize(
    "change",
    [
        "update public.contacts set deleted_at = now() where tenant_id = 'tenant-b'",
        "update public.messages set deleted_at = now() where tenant_id = 'tenant-b'",
        "update public.agents set type = 'system' where tenant_id = 'tenant-b'",
        "insert into mcp_store.tenant_settings values ('tenant-b', 'won_stage_names', '[\"x\"]')",
    ],
)
async def test_what_one_tenant_changes_marks_nobody_of_another(settled: Crm, change: str) -> None:
    await settled.owner.execute(change)

    assert await marked(settled.owner, "tenant-a") == set()
    assert await marked(settled.owner, None) == set()
    own = {str(row[0]) for row in await settled.owner.fetch("select id from contacts where tenant_id = 'tenant-a'")}
    theirs = await marked(settled.owner, "tenant-b")
    assert theirs
    # A conversation of theirs may be with a contact of another, as no CRM should keep it; that is theirs to know.
    assert len(theirs & own) < len(theirs)


@pytest.mark.parametrize("change", [None, "update public.contacts set deleted_at = now() where tenant_id = 'tenant-b'"])
async def test_sums_of_leads_are_the_tenants_own(settled: Crm, change: str | None) -> None:
    """By the function that passes by the views, with another's contacts marked and without."""
    if change:
        await settled.owner.execute(change)

    async def leads(tenant: str | None) -> int:
        async with acting(settled.owner, tenant):
            found: int = await settled.owner.fetchval("select leads from mcp.lead_sums('-infinity', 'infinity')")
            return found

    own = "select count(*) from public.contacts where tenant_id = 'tenant-a' and deleted_at is null"
    assert await leads(None) == await leads("nobody") == 0
    assert 0 < await leads("tenant-a") <= await settled.owner.fetchval(own)
    assert (await leads("tenant-b") == 0) == bool(change)


async def test_facts_are_made_for_all_and_the_transaction_stays_its_tenants(settled: Crm) -> None:
    await settled.owner.execute("update public.messages set deleted_at = now()")
    async with acting(settled.owner, "tenant-a", "mcp_writer"):
        assert await settled.owner.fetchval("select mcp.refresh_facts(1000)") > 1

        assert await settled.owner.fetchval("select current_setting('mcp.tenant_id')") == "tenant-a"
        assert await settled.owner.fetchval("select count(*) from mcp.waits") == 0


async def test_a_reader_makes_no_facts_and_nobody_reaches_them(settled: Crm) -> None:
    for role in ("mcp_reader", "mcp_writer"):
        for table in (*KEPT, "fact_marks"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with acting(settled.owner, "tenant-a", role):
                    await settled.owner.fetch(f"select from mcp_store.{table}")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with acting(settled.owner, "tenant-a"):
            await settled.owner.fetchval("select mcp.refresh_facts(1)")
    for made in (
        *(f"mcp.{name}('tenant-b', '{{}}')" for name in ("make_facts", "make_waits", "count_waits", "make_leads")),
        "mcp.unfold_mark()",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with acting(settled.owner, "tenant-a", "mcp_writer"):
                await settled.owner.fetchval(f"select {made}")
