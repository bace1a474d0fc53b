"""Rows of two tenants that name each other, as no CRM should keep them: neither may see the other through them."""

import json
from datetime import datetime

from tests.tenancy.access import Connection
from tests.tenancy.rows import MINUTE, Marked, company, copy

EXILE = Marked("tenant-of-an-exile", 99)


async def lure(connection: Connection, mine: Marked, theirs: Marked, now: datetime) -> None:
    """Let rows of one tenant name agents of others, and leave its last contact to what the CRM itself says of it."""
    session = mine.id("session", 0)
    await connection.execute(
        "update public.sessions set agent_ids = agent_ids || $2::jsonb where id = $1",
        session,
        json.dumps([str(theirs.id("agent", 1))]),
    )
    await connection.execute(
        "update public.messages set agent_id = $2 where id = $1", mine.id("answer", 1), theirs.id("agent", 2)
    )
    await connection.execute(
        "update mcp_store.assignments set superseded_at = $2 where id = $1", mine.id("assignment", 2), now
    )
    await connection.execute(
        "update mcp_store.qualifications set superseded_at = $2 where id = $1", mine.id("decision", 2), now
    )
    field = {"id": mine.id("field", 100), "contact_id": mine.id("contact", 2), "tenant_id": mine.tenant}
    field |= {"field_key": "lead_qualified", "field_type": "text", "field_value": '"true"', "updated_at": now}
    await copy(connection, {"public.contact_custom_fields": [field]})
    joined = {"id": EXILE.id("joined"), "session_id": mine.id("session", 1), "agent_id": EXILE.id("agent")}
    belongs = {"project_id": EXILE.id("project"), "tenant_id": EXILE.tenant}
    exile = {"id": EXILE.id("contact"), **belongs, "name": f"Exile {EXILE.mark}"}
    talk = {"id": mine.id("session", 200), "contact_id": exile["id"], "tenant_id": mine.tenant}
    talk |= {"started_at": now, "last_activity_at": now, "agent_ids": json.dumps([str(mine.id("agent", 0))])}
    await copy(
        connection,
        {
            **company(EXILE),
            "public.contacts": [exile],
            "public.sessions": [talk],
            "public.agent_sessions": [{**joined, "joined_at": now}],
        },
    )


async def entangle(connection: Connection, mine: Marked, theirs: Marked, now: datetime) -> None:
    """Add rows of one tenant that point at contacts, a conversation and agents of another."""
    at = now - MINUTE / 2
    of_contact = {"contact_id": mine.id("contact", 1), "tenant_id": theirs.tenant}
    session = {"session_id": mine.id("session", 1)}
    both = [str(tenant.id("agent", 3)) for tenant in (theirs, mine)]
    message = {"user_id": theirs.id("user"), "project_id": theirs.id("project"), "channel_id": theirs.id("channel")}
    await copy(
        connection,
        {
            "public.sessions": [
                {"id": theirs.id("session", 100), "contact_id": mine.id("contact", 2), "tenant_id": theirs.tenant}
                | {"started_at": at, "last_activity_at": at, "agent_ids": json.dumps(both)}
            ],
            "public.messages": [
                # Under the name of one of mine who took no part.
                {"id": theirs.id("answer", 100), **of_contact, **session, **message}
                | {"timestamp": at, "from_me": True, "agent_id": mine.id("agent", 3)},
                {"id": theirs.id("question", 100), **of_contact, **session, **message}
                | {"timestamp": at, "from_me": False, "agent_id": None},
            ],
            "public.session_ratings": [
                {"id": theirs.id("rating", 100), **of_contact, **session, "rating": 1, "rated_at": at}
            ],
            "mcp_store.qualifications": [
                {"id": theirs.id("decision", 100), **of_contact, "status": "unqualified", "decided_at": at},
                {"id": theirs.id("decision", 101), **of_contact, "status": "unqualified", "decided_at": at}
                | {"contact_id": mine.id("contact", 2)},
            ],
            "public.contact_custom_fields": [
                {"id": theirs.id("field", 100), **of_contact, "field_key": "rg", "field_type": "text"}
            ],
            "mcp_store.assignments": [
                {"id": theirs.id("assignment", 100), **of_contact, "agent_id": theirs.id("agent", 3)}
            ],
        },
    )
