"""Decisions that the CRM itself keeps, as custom fields of contacts; and a CRM that keeps none."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from rpc_server.backends.migrations import grant_login, migrate
from tests.adopt.database import RAW, SOURCE
from tests.conftest import Crm
from tests.database import Cluster, cloned
from tests.tools.office import Office
from tests.tools.world import Contact

TENANT = "user-1d98bbd3"
CONTACT = "1d98bbd3-0000-4000-8000-000000000005"
AGENT = "1d98bbd3-0000-4000-8000-000000000006"


async def decide(office: Office, contact: Contact, value: str | None, at: datetime, **more: Any) -> None:
    """Let the CRM set its field, to a JSON text."""
    await office.owner.execute(
        "insert into contact_custom_fields"
        " (contact_id, tenant_id, field_key, field_type, field_value, created_at, updated_at, deleted_at)"
        " values ($1, $2, $3, 'text', $4, $5, $5, $6)",
        contact.id,
        more.get("tenant", office.tenant),
        more.get("key", "lead_qualified"),
        value,
        at,
        more.get("deleted_at"),
    )


async def counted(office: Office) -> dict[str, Any]:
    """Return the figures of today that decisions make."""
    answer = await office.call("get_leads_count", {"period": "all"})
    return {name: answer[name] for name in ("qualified_leads", "unqualified_leads", "undecided_leads")} | {
        "qualified_in_period": answer["qualified_in_period"]
    }


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ('"true"', "qualified"),
        ("true", "qualified"),
        ('"false"', "unqualified"),
        ('"yes"', "undecided"),
        ('["true"]', "undecided"),
        ("null", "undecided"),
        (None, "undecided"),
    ],
)
async def test_the_crms_own_decision_counts(office: Office, value: str | None, status: str) -> None:
    await decide(office, office.rita, value, office.opened)

    found = await office.call("find_contacts", {"status": status})
    assert str(office.rita.id) in {contact["contact_id"] for contact in found["contacts"]}
    figures = await counted(office)
    assert figures["qualified_leads"] == figures["qualified_in_period"] == (status == "qualified")
    assert figures["unqualified_leads"] == (status == "unqualified")


async def test_what_was_deleted_or_is_another_field_or_tenant_decides_nothing(office: Office) -> None:
    await decide(office, office.rita, '"true"', office.opened, deleted_at=office.opened)
    await decide(office, office.nino, '"true"', office.opened, key="is_qualified")
    stranger = office.world.contact(office.opened)
    await office.owner.execute(
        "insert into contacts (id, project_id, tenant_id, created_at) values ($1, $2, $3, $4)",
        *(stranger.id, stranger.project_id, office.tenant, office.opened),
    )
    await decide(office, stranger, '"true"', office.opened, tenant="zeta")

    assert (await counted(office))["undecided_leads"] == 3


async def test_it_was_decided_when_the_field_last_changed(office: Office) -> None:
    await decide(office, office.rita, '"true"', office.opened - timedelta(days=3))
    asked = {"period": "today"}
    assert (await office.call("get_leads_count", asked, now=office.opened))["qualified_in_period"] == 0

    await office.owner.execute(
        "update contact_custom_fields set updated_at = $1 where contact_id = $2", office.opened, office.rita.id
    )
    assert (await office.call("get_leads_count", asked, now=office.opened))["qualified_in_period"] == 1


async def test_our_own_decision_comes_first(office: Office) -> None:
    await decide(office, office.rita, '"true"', office.opened)
    answer = await office.call("qualify_lead", office.qualification(status="unqualified"))
    assert (answer["before"]["status"], answer["changed"]) == ("qualified", True)

    # The CRM may go on and write its own field.
    await office.owner.execute(
        "update contact_custom_fields set field_value = '\"true\"' where contact_id = $1", office.rita.id
    )
    assert (await counted(office))["unqualified_leads"] == 1


async def test_to_decide_what_the_crm_decided_already_changes_nothing(office: Office) -> None:
    await decide(office, office.rita, '"true"', office.opened)
    answer = await office.call("qualify_lead", office.qualification())

    assert (answer["before"]["status"], answer["changed"], answer["version"]) == ("qualified", False, 1)


@pytest.fixture(
    params=[
        "drop table contact_custom_fields",
        "alter table contact_custom_fields drop constraint uq_contact_custom_fields_contact_key",
    ],
    ids=["no table", "not unique"],
)
async def fieldless(ventros: Cluster, request: pytest.FixtureRequest) -> AsyncIterator[Crm]:
    """An adopted CRM that cannot keep custom fields of contacts."""
    async with cloned(ventros, RAW) as database:
        owner = await asyncpg.connect(ventros.owner_url(database))
        await owner.execute(request.param)
        await migrate(owner, SOURCE)
        await grant_login(owner, ventros.login)
        crm = Crm(ventros, database, owner)
        async with crm.postgres:
            yield crm
        await owner.close()


async def test_a_crm_without_custom_fields_is_changed_without_them(fieldless: Crm) -> None:
    pipelines = (await fieldless.call("list_pipelines", {}, tenant=TENANT))["pipelines"]
    won = {"pipeline_id": pipelines[0]["pipeline_id"], "stage_id": pipelines[0]["stages"][-1]["stage_id"]}
    changes: list[tuple[str, dict[str, Any]]] = [
        ("qualify_lead", {"status": "qualified", "bant_scores": {"need": 9}}),
        ("qualify_lead", {"status": "unqualified"}),
        ("update_pipeline_stage", won),
        ("assign_to_agent", {"agent_id": AGENT}),
    ]
    for version, (tool, arguments) in enumerate(changes, start=2):
        answer = await fieldless.call(tool, {"contact_id": CONTACT, **arguments}, tenant=TENANT)
        assert (answer["changed"], answer["version"]) == (True, version)

    if await fieldless.owner.fetchval("select to_regclass('contact_custom_fields')"):
        assert await fieldless.owner.fetchval("select count(*) from contact_custom_fields") == 0
    (contact,) = (await fieldless.call("find_contacts", {}, tenant=TENANT))["contacts"]
    assert (contact["status"], contact["owner"]["agent_id"]) == ("unqualified", AGENT)
    assert contact["stages"][0]["outcome"] == "won"


async def test_the_crms_own_agents_are_no_colleagues(fieldless: Crm) -> None:
    """Its system agents stand in the oldest tenant."""
    agents = (await fieldless.call("list_agents", {}, tenant=TENANT))["agents"]
    assert [agent["agent_id"] for agent in agents] == [AGENT]
