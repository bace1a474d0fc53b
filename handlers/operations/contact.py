"""The contact that a change is about: locked first, at the version the caller thinks it has."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from rpc_server.contract.errors import Conflict, NotFound
from rpc_server.contract.query import query
from rpc_server.contract.tool import Call
from rpc_server.contract.write import WriteArguments

LOCK_CONTACT = query("operations/lock_contact")
BUMP_VERSION = query("operations/bump_version")
ADD_TIMELINE_EVENT = query("operations/add_timeline_event")


@dataclass(frozen=True, slots=True)
class LockedContact:
    """A contact that nobody else changes until the transaction ends; *now* is after the lock was got."""

    contact_id: UUID
    version: int
    project_id: UUID
    now: datetime


async def lock_contact(call: Call, contact_id: UUID, arguments: WriteArguments) -> LockedContact:
    """Lock the contact, or raise NotFound, or Conflict where it has not the expected version."""
    row = await call.db.first(LOCK_CONTACT, contact_id=contact_id)
    if row is None:
        raise NotFound(f"There is no contact {contact_id}. find_contacts finds contacts.")
    if arguments.expected_version not in (None, row["version"]):
        raise Conflict(
            "version_conflict",
            f"The contact has version {row['version']} now, not {arguments.expected_version}: somebody changed it. "
            "Read it with get_contact, and decide again.",
            current_version=row["version"],
            expected_version=arguments.expected_version,
        )
    return LockedContact(contact_id, row["version"], row["project_id"], row["now"])


async def bump_version(call: Call, contact: LockedContact) -> int:
    """Give the contact its next version and return it."""
    row = await call.db.first(BUMP_VERSION, contact_id=contact.contact_id, now=contact.now)
    assert row is not None
    return int(row["version"])


async def tell_timeline(
    call: Call,
    contact: LockedContact,
    *,
    event_type: str,
    category: str,
    priority: str,
    title: str,
    description: str | None,
    payload: dict[str, Any],
    session_id: UUID | None = None,
) -> None:
    """Add an event to the contact's timeline in the CRM."""
    await call.db.all(
        ADD_TIMELINE_EVENT,
        contact_id=contact.contact_id,
        session_id=session_id,
        event_type=event_type,
        category=category,
        priority=priority,
        title=title,
        description=description,
        payload=payload | {"user": call.caller.user_id, "request_id": call.request_id},
        now=contact.now,
    )
