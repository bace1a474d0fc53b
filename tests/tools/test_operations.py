"""Changing a lead: what is written, what is answered, what is refused."""

from datetime import UTC, datetime
from typing import Any

import pytest

from handlers.demo import DemoPlan
from rpc_server.commands.demo import load
from rpc_server.contract.errors import Conflict
from tests.conftest import Crm

TENANT = "acme"


@pytest.fixture
async def sales(crm: Crm) -> Crm:
    """Give a CRM with a tenant of 30 contacts."""
    now = datetime.now(UTC).replace(microsecond=0)
    await load(crm.owner, DemoPlan(TENANT, 30, seed=3, until=now), lambda done: None)
    return crm


async def a_contact(crm: Crm) -> dict[str, Any]:
    found = await crm.call("find_contacts", {"limit": 1}, tenant=TENANT)
    contact: dict[str, Any] = found["contacts"][0]
    return contact


async def test_a_qualified_lead_is_counted_at_once(sales: Crm) -> None:
    contact = await a_contact(sales)
    other = "unqualified" if contact["status"] == "qualified" else "qualified"
    answer = await sales.call("qualify_lead", {"contact_id": contact["contact_id"], "status": other}, tenant=TENANT)

    assert answer["changed"]
    assert answer["version"] == contact["version"] + 1
    assert (await a_contact(sales))["status"] == other


async def test_the_same_key_replays_the_first_answer(sales: Crm) -> None:
    contact = await a_contact(sales)
    arguments = {
        "contact_id": contact["contact_id"],
        "status": "qualified",
        "reason": "quer já",
        "idempotency_key": "k",
    }
    first = await sales.call("qualify_lead", arguments, tenant=TENANT)
    second = await sales.call("qualify_lead", arguments, tenant=TENANT)

    assert second == {**first, "idempotency": {"key": "k", "replayed": True}}
    with pytest.raises(Conflict) as mismatch:
        await sales.call("qualify_lead", {**arguments, "reason": "outro"}, tenant=TENANT)
    assert mismatch.value.code == "idempotency_mismatch"


async def test_a_moved_contact_stands_in_one_stage_and_the_crm_is_told(sales: Crm) -> None:
    contact = await a_contact(sales)
    pipelines = (await sales.call("list_pipelines", {}, tenant=TENANT))["pipelines"]
    won = next(stage for stage in pipelines[0]["stages"] if stage["outcome"] == "won")
    arguments = {
        "contact_id": contact["contact_id"],
        "pipeline_id": pipelines[0]["pipeline_id"],
        "stage_id": won["stage_id"],
    }
    tried = await sales.call("update_pipeline_stage", {**arguments, "dry_run": True}, tenant=TENANT)
    moved = await sales.call("update_pipeline_stage", arguments, tenant=TENANT)
    again = await sales.call("update_pipeline_stage", arguments, tenant=TENANT)

    assert tried == {
        **moved,
        "dry_run": True,
        "audit_id": tried["audit_id"],
        "seconds_in_previous_stage": tried["seconds_in_previous_stage"],
    }
    assert not again["changed"]
    events = await sales.owner.fetch("select event_type from outbox_events")
    assert [event["event_type"] for event in events] == ["contact.pipeline_status_changed"]


async def test_an_assigned_contact_has_an_owner(sales: Crm) -> None:
    contact = await a_contact(sales)
    agents = (await sales.call("list_agents", {"type": "human", "active": True}, tenant=TENANT))["agents"]
    arguments = {"contact_id": contact["contact_id"], "agent_id": agents[0]["agent_id"], "priority": "high"}
    answer = await sales.call("assign_to_agent", arguments, tenant=TENANT)

    assert answer["after"]["agent_name"] == agents[0]["agent_name"]
    assert (await a_contact(sales))["owner"]["agent_id"] == agents[0]["agent_id"]
