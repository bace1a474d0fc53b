"""assign_to_agent: the assignment, the conversation that is handed over, and every row that it leaves."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from tests.tools.office import HOUR, Office
from tests.tools.world import Agent, insert

NOBODY = dict.fromkeys(("agent_id", "agent_name", "priority", "notes"))


async def assign(office: Office, agent: Agent | None = None, **more: Any) -> dict[str, Any]:
    return await office.call("assign_to_agent", office.assignment(agent, **more), user="chefe@acme")


async def listed(office: Office) -> list[str]:
    """Return the agents that Rita's conversation lists."""
    ids = await office.owner.fetchval("select agent_ids::text from sessions where id = $1", office.conversation.id)
    found: list[str] = json.loads(ids)
    return found


async def primaries(office: Office) -> list[str]:
    """Return who is now a primary agent in Rita's conversation."""
    rows = await office.owner.fetch(
        "select agent_id from agent_sessions where session_id = $1 and left_at is null and is_active"
        " and role_in_session = 'primary'",
        office.conversation.id,
    )
    return [str(row["agent_id"]) for row in rows]


async def test_an_assignment_leaves_these_rows_and_no_others(office: Office) -> None:
    begun = datetime.now(UTC)
    joined = str(office.joined)
    async with office.watch() as rows:
        answer = await assign(office, office.bia, priority="high", notes=" quer desconto ")

    rita, ana, bia = (str(one.id) for one in (office.rita, office.ana, office.bia))
    conversation = str(office.conversation.id)
    at = rows.one("assignments")["assigned_at"]
    assert begun <= datetime.fromisoformat(at) <= datetime.now(UTC)
    whose = {"tenant_id": office.tenant, "contact_id": rita}
    asked = {"priority": "high", "notes": "quer desconto"}
    assert rows.added == {
        "assignments": [{**whose, "agent_id": bia, **asked, "assigned_by": "chefe@acme", "assigned_at": at}],
        "agent_sessions": [
            {
                "agent_id": bia,
                "session_id": conversation,
                "role_in_session": "primary",
                "joined_at": at,
                "is_active": True,
                "created_at": at,
                "updated_at": at,
            }
        ],
        "contact_events": [
            {
                **whose,
                "session_id": conversation,
                "event_type": "agent_transferred",
                "category": "assignment",
                "priority": "high",
                "source": "integration",
                "integration_source": "crm-mcp",
                "title": "Assigned to Bia",
                "description": "quer desconto",
                "payload": {
                    "agent_id": bia,
                    "previous_agent_id": ana,
                    "user": "chefe@acme",
                    "request_id": "test",
                },
                "occurred_at": at,
                "created_at": at,
                "is_realtime": True,
                "delivered": False,
                "read": False,
                "visible_to_client": False,
                "visible_to_agent": True,
            }
        ],
        "audit_log": rows.added["audit_log"],
    }
    assert rows.changed == {
        "agent_sessions": {joined: {"left_at": at, "is_active": False, "updated_at": at}},
        "sessions": {conversation: {"agent_ids": [ana, bia], "agent_transfers": 1, "version": 2, "updated_at": at}},
        "contacts": {rita: {"version": 2, "updated_at": at}},
    }
    assert rows.removed == {}
    assert answer == {
        "contact_id": rita,
        "changed": True,
        "before": NOBODY,
        "after": {"agent_id": bia, "agent_name": "Bia", **asked},
        "session_id": conversation,
        "agent_open_sessions": 1,
        "version": 2,
        "warnings": [],
        "dry_run": False,
        "audit_id": answer["audit_id"],
        "idempotency": {"key": None, "replayed": False},
    }


async def test_a_contact_without_a_conversation_is_assigned_alone(office: Office) -> None:
    async with office.watch() as rows:
        answer = await assign(office, contact=office.nino)

    assert rows.tables == {"assignments", "contact_events", "contacts", "audit_log"}
    assert (answer["session_id"], answer["agent_open_sessions"]) == (None, 0)
    assert answer["warnings"] == ["The contact has no open conversation to hand over."]
    event = rows.one("contact_events")
    assert (event["event_type"], event.get("session_id")) == ("agent_assigned", None)
    assert event["payload"]["previous_agent_id"] is None


async def test_a_conversation_that_ended_stays_as_it_was(office: Office) -> None:
    await office.owner.execute("update sessions set status = 'ended', ended_at = now()")
    async with office.watch() as rows:
        answer = await assign(office)

    assert answer["session_id"] is None
    assert rows.tables == {"assignments", "contact_events", "contacts", "audit_log"}


async def test_of_several_open_conversations_the_latest_is_handed_over(office: Office) -> None:
    latest = office.world.session(office.rita, office.opened + HOUR, office.ana)
    office.world.sessions = [latest]
    for rows in office.world.tables():
        if rows is not office.world.sessions:
            rows.clear()
    await insert(office.world, office.owner)
    answer = await assign(office)

    assert answer["session_id"] == str(latest.id)
    assert await listed(office) == [str(office.ana.id)]


@pytest.mark.parametrize(
    ("before", "after", "transfers"),
    [
        (["ana"], ["ana", "bia"], 1),
        (["bia", "ana"], ["ana", "bia"], 1),
        (["bia", "ana", "bia", "ana"], ["ana", "ana", "bia"], 1),
        ([], ["bia"], 0),
        (None, ["bia"], 0),
        ({"0": "ana"}, ["bia"], 0),
        ("ana", ["bia"], 0),
        (["ana", 7], ["ana", 7, "bia"], 0),
        (["ana", None], ["ana", None, "bia"], 0),
    ],
)
async def test_the_new_agent_is_listed_last_and_once(
    office: Office, before: Any, after: list[Any], transfers: int
) -> None:
    names = {"ana": str(office.ana.id), "bia": str(office.bia.id)}
    before = [names.get(name, name) for name in before] if isinstance(before, list) else before
    text = None if before is None else json.dumps(before)
    update = "update sessions set agent_ids = $1, agent_transfers = null where tenant_id = $2"
    await office.owner.execute(update, text, office.tenant)
    await assign(office, office.bia)

    assert await listed(office) == [names.get(name, name) for name in after]
    assert [transfers] == [row["agent_transfers"] for row in await office.rows("sessions")]
    assert await primaries(office) == [names["bia"]]


async def test_whoever_is_current_already_is_only_put_on_record(office: Office) -> None:
    async with office.watch() as rows:
        answer = await assign(office, office.ana)

    assert rows.tables == {"assignments", "contact_events", "contacts", "audit_log"}
    assert rows.one("contact_events")["event_type"] == "agent_assigned"
    assert answer["session_id"] == str(office.conversation.id)


async def test_whoever_is_current_but_not_in_the_conversations_history_joins_it(office: Office) -> None:
    await office.owner.execute("delete from agent_sessions")
    async with office.watch() as rows:
        await assign(office, office.ana)

    assert rows.one("agent_sessions")["agent_id"] == str(office.ana.id)
    assert "sessions" not in rows.tables


async def test_who_only_supports_or_observes_stays_in_the_conversation(office: Office) -> None:
    support = await office.join(office.conversation, office.ana, "support")
    await office.join(office.conversation, office.bia, "observer")
    async with office.watch() as rows:
        await assign(office, office.bia)

    assert str(support) not in rows.changed["agent_sessions"]
    assert len(rows.changed["agent_sessions"]) == 1
    assert await primaries(office) == [str(office.bia.id)]


# --- who may be assigned ------------------------------------------------------------------------


@pytest.mark.parametrize("type", ["ai", "bot", "channel", "virtual", "system"])
async def test_only_people_can_be_assigned(office: Office, type: str) -> None:
    async with office.watch() as rows:
        refusal = await office.refusal("assign_to_agent", office.assignment(office.others[type]))

    assert refusal["code"] == "agent_not_assignable"
    assert f"{type} is of type {type}" in refusal["message"]
    assert rows.tables == {"audit_log"}
    assert rows.one("audit_log")["entry"]["outcome"] == "agent_not_assignable"


async def test_nobody_inactive_deleted_or_unknown_can_be_assigned(office: Office) -> None:
    async with office.watch() as rows:
        inactive = await office.refusal("assign_to_agent", office.assignment(office.idle))
        deleted = await office.refusal("assign_to_agent", office.assignment(office.gone))
        unknown = await office.refusal("assign_to_agent", {**office.assignment(), "agent_id": str(uuid4())})

    assert [r["code"] for r in (inactive, deleted, unknown)] == ["agent_inactive", "not_found", "not_found"]
    assert rows.tables == {"audit_log"}


# --- again, and otherwise -----------------------------------------------------------------------


@pytest.mark.parametrize("again", [{}, {"priority": "low"}, {"notes": "a"}, {"notes": " "}, {"priority": None}])
async def test_to_assign_again_to_the_same_agent_changes_nothing(office: Office, again: dict[str, Any]) -> None:
    first = await assign(office, priority="low", notes="a")
    async with office.watch() as rows:
        second = await assign(office, **again)

    assert rows.tables == {"audit_log"}
    assert second == {**first, "changed": False, "before": first["after"], "audit_id": second["audit_id"]}


async def test_with_the_same_agent_what_is_not_said_stays(office: Office) -> None:
    await assign(office, priority="low", notes="a")
    async with office.watch() as rows:
        answer = await assign(office, priority="medium")

    assert (answer["after"]["priority"], answer["after"]["notes"]) == ("medium", "a")
    event = rows.one("contact_events")
    assert (event["event_type"], event["priority"], event["description"]) == ("agent_assigned", "normal", "a")
    assert "sessions" not in rows.tables


async def test_another_agent_begins_without_the_formers_notes(office: Office) -> None:
    await assign(office, office.bia, priority="high", notes="a")
    answer = await assign(office, office.ana)

    assert answer["before"] == {
        "agent_id": str(office.bia.id),
        "agent_name": "Bia",
        "priority": "high",
        "notes": "a",
    }
    assert (answer["after"]["priority"], answer["after"]["notes"]) == (None, None)
    assert await listed(office) == [str(office.bia.id), str(office.ana.id)]
    assert await primaries(office) == [str(office.ana.id)]


async def test_a_history_tells_who_assigned_whom_and_when(office: Office) -> None:
    await office.call("assign_to_agent", office.assignment(office.bia), user="x")
    await office.call("assign_to_agent", office.assignment(office.ana), user="y")

    history = await office.rows("mcp_store.assignments", "assigned_at")
    assert [("x", office.bia.id), ("y", office.ana.id)] == [(row["assigned_by"], row["agent_id"]) for row in history]
    assert [row["superseded_at"] for row in history] == [history[1]["assigned_at"], None]


async def test_whoever_lost_a_conversation_to_another_gets_it_back(office: Office) -> None:
    """The CRM handed it over by itself; to assign again is then no repetition."""
    await assign(office, office.bia)
    ana = json.dumps([str(office.ana.id)])
    await office.owner.execute("update sessions set agent_ids = $1 where tenant_id = $2", ana, office.tenant)
    answer = await assign(office, office.bia)

    assert (answer["changed"], answer["version"]) == (True, 3)
    assert answer["before"] == answer["after"]
    assert await listed(office) == [str(office.ana.id), str(office.bia.id)]


@pytest.mark.parametrize(
    ("priority", "told"), [("low", "low"), ("medium", "normal"), ("high", "high"), (None, "normal")]
)
async def test_the_timeline_has_a_priority_that_the_crm_knows(office: Office, priority: str | None, told: str) -> None:
    async with office.watch() as rows:
        await assign(office, priority=priority)

    assert rows.one("contact_events")["priority"] == told


async def test_the_agents_open_load_is_what_list_agents_says(office: Office) -> None:
    async def load() -> int:
        agents = (await office.call("list_agents", {}))["agents"]
        return next(int(a["open_sessions"]) for a in agents if a["agent_id"] == str(office.bia.id))

    before = await load()
    tried = await assign(office, dry_run=True)
    assert (before, 1, 0) == (0, tried["agent_open_sessions"], await load())
    answer = await assign(office)
    assert (answer["agent_open_sessions"], await load()) == (1, 1)


async def test_whoever_assigned_a_contact_reads_it_at_once(office: Office) -> None:
    await assign(office, office.bia)

    found = await office.call("find_contacts", {"agent_id": str(office.bia.id)})
    assert [str(office.rita.id)] == [contact["contact_id"] for contact in found["contacts"]]
    contact = await office.call("get_contact", {"contact_id": str(office.rita.id)})
    assert (str(office.bia.id), 2) == (contact["owner"]["agent_id"], contact["version"])
    assert [event["event_type"] for event in contact["timeline"]] == ["agent_transferred"]
