"""Each trigger that marks bears weight: without it, a change is not noticed."""

import pytest

from tests.conftest import Crm
from tests.database import settle
from tests.facts.changes import TENANTS
from tests.facts.facts import differences

# A change that only this trigger marks. What else it fires is put out of the way by the facts' being settled before.
TALKED = """(select m.session_id from public.messages m join public.sessions s on s.id = m.session_id
              where m.from_me is not true and m.deleted_at is null and s.deleted_at is null
                and s.tenant_id = 'tenant-a' and m.tenant_id = 'tenant-a' order by 1 limit 1)"""
MET = """(select contact_id from mcp_store.fact_journeys where tenant_id = 'tenant-a' order by 1 limit 1)"""
SENDER = """(select agent_id from mcp_store.fact_waits
              where tenant_id = 'tenant-a' and agent_id is not null order by 1 limit 1)"""
WON = """(select s.id from public.pipeline_statuses s join public.contact_pipeline_statuses h on h.status_id = s.id
           join mcp_store.fact_journeys f on f.contact_id = h.contact_id and f.won_at is not null
          where f.tenant_id = 'tenant-a' and h.entered_at = f.won_at order by 1 limit 1)"""
CHANGES = {
    "public.contacts mark_inserted": f"""
        create temp table kept as select * from public.contacts where id = {MET};
        set session_replication_role = replica; delete from public.contacts where id in (select id from kept);
        set session_replication_role = origin;
        insert into mcp_store.fact_marks (tenant_id, contact_id) select tenant_id, id from kept;
        select mcp.refresh_facts(1000);
        insert into public.contacts select * from kept""",
    "public.contacts mark_deleted": f"""
        set session_replication_role = replica; create temp table gone as select {MET} as id;
        set session_replication_role = origin;
        alter table public.contacts disable trigger all; alter table public.contacts enable trigger user;
        delete from public.contacts where id in (select id from gone)""",
    "public.contacts mark_updated": f"update public.contacts set deleted_at = now() where id = {MET}",
    "public.sessions mark_inserted": """
        insert into public.sessions (contact_id, tenant_id, started_at, last_activity_at, agent_ids)
        select contact_id, tenant_id, started_at - interval '1 hour', started_at, jsonb_build_array(agent_id)
          from mcp_store.fact_journeys where tenant_id = 'tenant-a' and agent_id is not null limit 1""",
    "public.sessions mark_deleted": f"""
        alter table public.sessions disable trigger all; alter table public.sessions enable trigger user;
        delete from public.sessions where id in (select session_id from public.messages where session_id = {TALKED})""",
    "public.sessions mark_updated": f"update public.sessions set deleted_at = now() where id = {TALKED}",
    "public.agent_sessions mark_inserted": """
        insert into public.agent_sessions (agent_id, session_id, joined_at)
        select a.id, s.id, now() from public.agents a, public.sessions s, public.contacts c
         where a.tenant_id = 'tenant-a' and a.name = 'Idle' and s.tenant_id = 'tenant-a' and s.deleted_at is null
           and c.id = s.contact_id and c.deleted_at is null""",
    "public.agent_sessions mark_deleted": "delete from public.agent_sessions",
    "public.agent_sessions mark_updated": "update public.agent_sessions set deleted_at = now()",
    "public.messages mark_inserted": f"""
        insert into public.messages (tenant_id, "timestamp", user_id, project_id, from_me, channel_id,
                                     contact_id, session_id)
        select tenant_id, "timestamp" + interval '400 days', user_id, project_id, false, channel_id,
               contact_id, session_id
          from public.messages where session_id = {TALKED} and tenant_id = 'tenant-a' limit 1;
        insert into public.messages (tenant_id, "timestamp", user_id, project_id, from_me, channel_id,
                                     contact_id, session_id)
        select tenant_id, "timestamp" - interval '400 days', user_id, project_id, false, channel_id,
               contact_id, session_id
          from public.messages where session_id = {TALKED} and tenant_id = 'tenant-a' limit 1""",
    "public.messages mark_deleted": f"delete from public.messages where session_id = {TALKED}",
    "public.messages mark_updated": f"update public.messages set deleted_at = now() where session_id = {TALKED}",
    "public.contact_pipeline_statuses mark_inserted": f"""
        insert into public.contact_pipeline_statuses (contact_id, pipeline_id, status_id, tenant_id, entered_at)
        select {MET}, s.pipeline_id, s.id, 'tenant-a', '2030-01-01' from public.pipeline_statuses s
         where s.id = {WON} limit 1""",
    "public.contact_pipeline_statuses mark_deleted": "delete from public.contact_pipeline_statuses",
    "public.contact_pipeline_statuses mark_updated": """
        update public.contact_pipeline_statuses set deleted_at = now() where deleted_at is null""",
    "mcp_store.qualifications mark_inserted": """
        insert into mcp_store.qualifications (tenant_id, contact_id, status)
        select distinct f.tenant_id, f.contact_id, 'qualified' from mcp_store.fact_journeys f
         where not exists (select from mcp_store.qualifications q where q.contact_id = f.contact_id)""",
    "mcp_store.qualifications mark_deleted": "delete from mcp_store.qualifications",
    "mcp_store.qualifications mark_updated": """
        update mcp_store.qualifications set superseded_at = now() where superseded_at is null""",
    "public.agents mark_changed": """
        alter table public.agents disable trigger all; alter table public.agents enable trigger user;
        delete from public.agents where tenant_id = 'tenant-a'""",
    "public.agents mark_updated": f"update public.agents set type = 'system' where id = {SENDER}",
    "public.pipeline_statuses mark_changed": """
        alter table public.pipeline_statuses disable trigger all;
        alter table public.pipeline_statuses enable trigger user;
        delete from public.pipeline_statuses""",
    "public.pipeline_statuses mark_updated": """
        update public.pipeline_statuses set name = 'Outro', status_type = 'active'""",
    "public.pipelines mark_updated": f"""
        update public.pipelines set tenant_id = 'tenant-b'
         where id = (select pipeline_id from public.pipeline_statuses where id = {WON})""",
    "mcp_store.tenant_settings mark_changed": """
        insert into mcp_store.tenant_settings values ('tenant-a', 'won_stage_names', '["Negociação"]')
            on conflict (tenant_id, key) do update set value = excluded.value""",
    **{
        f"{table} mark_truncated": f"truncate {table} cascade"
        for table in (
            "public.agent_sessions",
            "public.messages",
            "public.contact_pipeline_statuses",
            "mcp_store.qualifications",
        )
    },
}
# Emptying these empties others too, which are marked by theirs; or it is the settings, which change little here.
TRUNCATED_WITH_OTHERS = {
    *("public.contacts mark_truncated", "public.sessions mark_truncated", "public.agents mark_truncated"),
    "public.pipeline_statuses mark_truncated",
    "mcp_store.tenant_settings mark_truncated",
}
# It only waits; see tests of many at once.
WAITS = {"public.sessions mark_another_tenants"}
FOUND = """
select t.tgrelid::regclass::text || ' ' || t.tgname
  from pg_trigger t
 where not t.tgisinternal
   and t.tgname like 'mark\\_%'
"""


async def test_every_trigger_is_tried(crm: Crm) -> None:
    found = {row[0] if "." in row[0].split()[0] else f"public.{row[0]}" for row in await crm.owner.fetch(FOUND)}

    assert found == {*CHANGES, *TRUNCATED_WITH_OTHERS, *WAITS}


@pytest.mark.parametrize("name", sorted(CHANGES))
async def test_a_change_is_noticed_by_its_trigger_and_by_no_other(settled: Crm, name: str) -> None:
    owner = settled.owner
    table, trigger = name.split()

    async def unnoticed(without: str | None) -> list[str]:
        transaction = owner.transaction()
        await transaction.start()
        try:
            if without:
                await owner.execute(f"drop trigger {without} on {table}")
            await owner.execute(CHANGES[name])
            return await differences_within(settled)
        finally:
            await transaction.rollback()

    assert await unnoticed(None) == []
    assert await unnoticed(trigger) != []


async def differences_within(crm: Crm) -> list[str]:
    """Return the differences as the open transaction sees them."""
    return await differences(crm.owner, *TENANTS)


async def test_what_concerns_no_fact_marks_nothing(settled: Crm) -> None:
    for statement in (
        "update public.messages set read_at = now(), delivered_at = now(), status = 'read'",
        "update public.contacts set version = version + 1, updated_at = now(), name = 'x'",
        "update public.sessions set summary = 'x', last_activity_at = now(), version = version + 1",
        "update public.agents set status = 'online', last_activity_at = now()",
        "update public.pipelines set name = 'x'",
        "insert into mcp_store.tenant_settings values ('tenant-a', 'brand_guide', '\"x\"')",
    ):
        await settled.owner.execute(statement)

        assert await settled.owner.fetchval("select count(*) from mcp_store.fact_marks") == 0, statement
    await settle(settled.owner)
