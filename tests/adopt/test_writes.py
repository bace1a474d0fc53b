"""What changes write into an adopted CRM's tables: the columns that its operator's page lists, once, and no others."""

import asyncio
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import pytest

from tests.adopt.page import written
from tests.tools.office import TOOLS, Difference, Office

OURS = {"qualifications", "assignments", "idempotency_keys", "audit_log"}
# Written, but as the database would have made them up, or what Office's differences leave out.
UNTOLD = {("agent_sessions", "INSERT", "is_active"), ("outbox_events", "INSERT", "event_id")}
USER = "1d98bbd3-0000-4000-8000-000000000001"
# The fields of the CRM's own event, by its names.
FIELDS = {
    *("ContactID", "PipelineID", "PreviousStatusID", "NewStatusID", "PreviousStatusName", "NewStatusName"),
    *("TenantID", "ProjectID", "ChangedBy", "Reason", "ChangedAt"),
}


async def defaults(office: Office) -> dict[tuple[str, str], Any]:
    """Return the values that the CRM's columns have by themselves, by table and column."""
    rows = await office.owner.fetch(
        """
        select c.relname, a.attname, pg_get_expr(d.adbin, d.adrelid) as expression
          from pg_attrdef d
          join pg_class c on c.oid = d.adrelid
          join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
         where c.relnamespace = 'public'::regnamespace
        """
    )
    return {
        (row["relname"], row["attname"]): orjson.loads(
            await office.owner.fetchval(f"select to_jsonb({row['expression']})::text")
        )
        for row in rows
    }


async def every_change(office: Office) -> list[Difference]:
    """Change all that can be changed, and tell what each change left."""
    await office.owner.execute(
        "insert into contact_custom_fields (contact_id, tenant_id, field_key, field_type, field_value)"
        " values ($1, $2, 'lead_qualified', 'boolean', 'false')",
        office.rita.id,
        office.tenant,
    )
    scores = {"budget": 8, "need": 5}
    changes = [
        ("qualify_lead", office.qualification(reason="quer já", bant_scores=scores)),
        ("qualify_lead", office.qualification(status="unqualified", reason="não quer mais")),
        ("update_pipeline_stage", office.move("offer", notes="ligou")),
        ("update_pipeline_stage", office.move("won", notes="assinou")),
        ("assign_to_agent", office.assignment(office.bia, notes="de manhã", priority="high")),
    ]
    found = []
    for tool, arguments in changes:
        async with office.watch() as rows:
            assert (await office.call(tool, arguments, user=USER))["changed"]
        found.append(rows)
    return found


async def test_exactly_the_listed_columns_are_written(office: Office) -> None:
    by_itself = await defaults(office)
    found: set[tuple[str, str, str]] = set()
    for rows in await every_change(office):
        assert not rows.removed
        for table, added in rows.added.items():
            cells = [cell for row in added for cell in row.items()]
            found |= {(table, "INSERT", name) for name, value in cells if by_itself.get((table, name)) != value}
        for table, changed in rows.changed.items():
            found |= {(table, "UPDATE", name) for news in changed.values() for name in news}

    crms = {(table, privilege, name) for table, privilege, name in found if table not in OURS}
    assert (crms - written(), written() - crms) == (set(), UNTOLD)


@pytest.mark.parametrize("tool", TOOLS)
async def test_a_change_raises_the_version_by_one(office: Office, tool: str) -> None:
    before = await office.version()
    answer = await office.call(tool, office.arguments(tool, expected_version=before))

    assert (answer["version"], await office.version()) == (before + 1, before + 1)


@pytest.mark.parametrize("tool", TOOLS)
async def test_the_same_change_twice_writes_nothing_twice(office: Office, tool: str) -> None:
    arguments = office.arguments(tool, idempotency_key="one")
    await office.call(tool, arguments)
    async with office.watch() as replayed:
        assert (await office.call(tool, arguments))["idempotency"]["replayed"]
    async with office.watch() as repeated:
        assert not (await office.call(tool, office.arguments(tool)))["changed"]

    assert replayed.tables == set()
    assert repeated.tables == {"audit_log"}


async def test_a_dry_run_writes_nothing_into_the_crm(office: Office) -> None:
    async with office.watch() as rows:
        for tool in TOOLS:
            await office.call(tool, office.arguments(tool, dry_run=True))

    assert rows.tables == {"audit_log"}


async def test_a_move_is_told_as_the_crm_tells_it_and_only_once(office: Office) -> None:
    """The CRM's processor wakes by the notification, and its consumer makes the timeline entry."""
    heard: asyncio.Queue[str] = asyncio.Queue()
    listener = await asyncpg.connect(office.crm.owner_url)
    await listener.add_listener("outbox_events", lambda *news: heard.put_nowait(str(news[-1])))
    async with office.watch() as rows:
        await office.call("update_pipeline_stage", office.move("won", notes="assinou"), user=USER)
    told = [await asyncio.wait_for(heard.get(), 5)]
    await listener.execute("select")
    await listener.close()

    assert "contact_events" not in rows.tables
    event = rows.one("outbox_events")
    assert [str(event["id"]) for event in await office.rows("outbox_events")] == told
    assert heard.empty()
    assert (event["status"], event["event_version"], event["tenant_id"]) == ("pending", "v1", office.tenant)
    data = event["event_data"]
    assert set(data) == FIELDS
    for name in ("ContactID", "PipelineID", "PreviousStatusID", "NewStatusID", "ProjectID", "ChangedBy"):
        assert str(UUID(data[name])) == data[name]
    assert datetime.fromisoformat(data["ChangedAt"]).tzinfo is not None
    assert (data["NewStatusName"], data["Reason"], data["TenantID"]) == ("won", "assinou", office.tenant)


async def test_who_is_no_uuid_does_not_make_the_event_unreadable(office: Office) -> None:
    await office.call("update_pipeline_stage", office.move(), user="ana@acme")

    (event,) = await office.rows("outbox_events")
    assert orjson.loads(event["event_data"])["ChangedBy"] is None


async def test_a_first_stage_has_none_before_it(office: Office) -> None:
    await office.call("update_pipeline_stage", office.move(contact=office.nino))

    (event,) = await office.rows("outbox_events")
    data = orjson.loads(event["event_data"])
    assert (data["PreviousStatusID"], data["PreviousStatusName"]) == (None, "")


async def test_no_timeline_entry_is_shown_to_the_client(office: Office) -> None:
    for tool in TOOLS:
        await office.call(tool, office.arguments(tool))

    assert [event["visible_to_client"] for event in await office.rows("contact_events")] == [False, False]
