"""Tenants whose every row bears their mark: whoever meets a mark that is not its own has met a foreign row."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg

from tests.database import lacks

MINUTE: Final = timedelta(minutes=1)
# Agents of each tenant; all human.
AGENTS: Final = 4
# Longer ones do not fit into the CRM's outbox.
MAX_OUTBOX_TENANT: Final = 100
_KINDS: Final = (
    *("user", "project", "channel", "contact", "pipeline", "stage", "past", "present", "agent"),
    *("session", "joined", "question", "answer", "rating", "event", "decision", "assignment"),
    *("field", "news", "announced"),
)


@dataclass(frozen=True, slots=True)
class Marked:
    """A tenant with so many contacts; its number makes its mark, which stands in each id and name."""

    tenant: str
    number: int
    contacts: int = 3

    @property
    def mark(self) -> str:
        """Eight hexadecimal digits."""
        return f"{0xACE00000 + self.number:08x}"

    @property
    def pattern(self) -> str:
        """Return what each row bears, as a regular expression: the mark, or the same as a figure."""
        return f"{self.mark}|{int(self.mark, 16)}"

    def id(self, kind: str, place: int = 0) -> UUID:
        """Return the id of the row in this *place* among those of its *kind*."""
        return UUID(f"{self.mark}-{_KINDS.index(kind):04x}-4000-8000-{place:012x}")

    def ids(self, kind: str, count: int) -> set[str]:
        """Return the ids of the first *count* rows of a *kind*, as answers show them."""
        return {str(self.id(kind, place)) for place in range(count)}


def foreign_marks(text: str, own: Marked, tenants: Iterable[Marked]) -> list[str]:
    """Return the marks of others in *text*."""
    return [other.mark for other in tenants if other.mark != own.mark and other.mark in text]


async def fill(connection: "asyncpg.Connection[asyncpg.Record]", owner: Marked, now: datetime) -> None:
    """Give a tenant rows in every table that the views read: contact 0 is the newest, those of even places are won."""
    tables = {**company(owner), **_contacts(owner, now)}
    if len(owner.tenant) > MAX_OUTBOX_TENANT:
        del tables["public.outbox_events"]
    await copy(connection, tables)


async def copy(connection: "asyncpg.Connection[asyncpg.Record]", tables: Mapping[str, list[dict[str, Any]]]) -> None:
    """Copy rows into tables, as their owner; the rows of one table have the same columns."""
    for name, rows in tables.items():
        if await lacks(connection, name):
            continue
        schema, _, table = name.partition(".")
        records = [tuple(row.values()) for row in rows]
        await connection.copy_records_to_table(table, schema_name=schema, columns=list(rows[0]), records=records)


def company(owner: Marked) -> dict[str, list[dict[str, Any]]]:
    """Return what a tenant has before its first contact."""
    tenant, mark, project, user = owner.tenant, owner.mark, owner.id("project"), owner.id("user")
    belongs = {"project_id": project, "tenant_id": tenant}
    settings = {
        "time_zone": "UTC",
        "conversion_window_days": 100 + owner.number,
        # As stages' names are compared: in small letters, with _ for every other sign.
        "won_stage_names": [f"ganho_{mark}"],
        "lost_stage_names": [f"perdido_{mark}"],
        "lead_tag": f"lead {mark}",
        "brand_guide": mark,
    }
    stages = [("Novo", "open"), ("Ganho", "closed"), ("Perdido", "closed")]
    return {
        "public.users": [{"id": user, "name": f"User {mark}"}],
        "public.projects": [{"id": project, "user_id": user, "tenant_id": tenant, "name": mark}],
        "public.channels": [{"id": owner.id("channel"), **belongs, "name": mark, "type": "whatsapp"}],
        "public.agents": [
            {"id": owner.id("agent", i), **belongs, "name": f"Agent {i} {mark}", "user_id": None if i else user}
            for i in range(AGENTS)
        ],
        "public.pipelines": [{"id": owner.id("pipeline"), **belongs, "name": f"Vendas {mark}"}],
        "public.pipeline_statuses": [
            {
                "id": owner.id("stage", i),
                "pipeline_id": owner.id("pipeline"),
                "name": f"{name} {mark}",
                "status_type": type,
                "position": i,
            }
            for i, (name, type) in enumerate(stages)
        ],
        "mcp_store.tenant_settings": [
            {"tenant_id": tenant, "key": key, "value": json.dumps(value)} for key, value in settings.items()
        ],
    }


def _contacts(owner: Marked, now: datetime) -> dict[str, list[dict[str, Any]]]:
    """Return what each contact has: a conversation, a walk to the end, a rating, an event, a decision, an owner."""
    tables: dict[str, list[dict[str, Any]]] = {}
    for i in range(owner.contacts):
        for table, rows in _contact(owner, i, now - 2 * (i + 1) * MINUTE).items():
            tables.setdefault(table, []).extend(rows)
    return tables


def _contact(owner: Marked, i: int, at: datetime) -> dict[str, list[dict[str, Any]]]:
    mark, own = owner.mark, {"tenant_id": owner.tenant}
    contact, session, agent = owner.id("contact", i), owner.id("session", i), owner.id("agent", i % AGENTS)
    of_contact = {"contact_id": contact, **own}
    spoken = {**of_contact, "session_id": session, "user_id": owner.id("user"), "project_id": owner.id("project")}
    spoken |= {"channel_id": owner.id("channel"), "text": f"Olá {mark}"}
    walk = {**of_contact, "pipeline_id": owner.id("pipeline")}
    end = owner.id("stage", 1 if i % 2 == 0 else 2)
    decision = {"status": "qualified", "reason": f"Reason {mark}", "decided_by": mark, "decided_at": at}
    moved = at + MINUTE
    return {
        "public.contacts": [
            {
                "id": contact,
                "project_id": owner.id("project"),
                **own,
                "name": f"Contact {i} {mark}",
                "email": f"{i}@{mark}.example",
                "phone": f"+55 {mark} {i:04}",
                "tags": json.dumps([f"lead {mark}"]),
                "created_at": at,
            }
        ],
        "public.contact_pipeline_statuses": [
            {"id": owner.id("past", i), **walk, "status_id": owner.id("stage"), "entered_at": at, "exited_at": moved},
            {"id": owner.id("present", i), **walk, "status_id": end, "entered_at": moved, "exited_at": None},
        ],
        "public.sessions": [
            {
                "id": session,
                **of_contact,
                "started_at": at,
                "ended_at": moved,
                "last_activity_at": moved,
                "status": "ended",
                "agent_ids": json.dumps([str(agent)]),
                "sentiment": "positive",
                "resolved": True,
            }
        ],
        "public.agent_sessions": [
            {"id": owner.id("joined", i), "agent_id": agent, "session_id": session, "joined_at": at}
        ],
        "public.messages": [
            {"id": owner.id("question", i), **spoken, "timestamp": at, "from_me": False, "agent_id": None},
            {"id": owner.id("answer", i), **spoken, "timestamp": moved, "from_me": True, "agent_id": agent},
        ],
        "public.session_ratings": [
            {"id": owner.id("rating", i), **of_contact, "session_id": session, "rating": 5, "rated_at": moved}
        ],
        "public.contact_events": [
            {
                "id": owner.id("event", i),
                **of_contact,
                "session_id": session,
                "event_type": "note",
                "category": "contact",
                "priority": "normal",
                "source": "system",
                "title": f"Title {mark}",
                "occurred_at": at,
            }
        ],
        "public.contact_custom_fields": [
            {"id": owner.id("field", i), **of_contact, "field_key": "cpf", "field_type": "text"}
            | {"field_value": json.dumps(f"Field {mark}")}
        ],
        "public.outbox_events": [
            {"id": owner.id("news", i), "event_id": owner.id("announced", i), **own, "project_id": owner.id("project")}
            | {"aggregate_id": contact, "aggregate_type": "Contact", "event_type": "x", "event_data": json.dumps(mark)}
        ],
        "mcp_store.idempotency_keys": [
            {**own, "user_id": "tester", "tool": "qualify_lead", "key": f"key {i} {mark}"}
            | {"payload_hash": mark.encode(), "answer": json.dumps(mark)}
        ],
        "mcp_store.message_scores": [
            {**own, "digest": f"{i} {mark}".encode(), "rubric": "1", "model": mark, "grammar": 5, "findings": "[]"}
        ],
        # Figures only, and a day of its own: another tenant's is not in its way.
        "mcp_store.model_usage": [
            {**own, "day": date(2026, 1, 1) + timedelta(days=100 * owner.number + i), "tokens": int(mark, 16)}
        ],
        # A trigger numbers it and chains it to the one before.
        "mcp_store.audit_log": [{**own, "entry": json.dumps({"contact": str(contact)})}],
        "mcp_store.qualifications": [{"id": owner.id("decision", i), **of_contact, **decision}],
        "mcp_store.assignments": [
            {"id": owner.id("assignment", i), **of_contact, "agent_id": agent, "notes": mark, "assigned_at": at}
        ],
    }
