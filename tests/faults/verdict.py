"""What the database says afterwards, held against what the client was told."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from tests.faults.changes import TENANT
from tests.faults.client import Answer

Connection = "asyncpg.Connection[asyncpg.Record]"

# Each row that a change leaves behind, by its key.
_TRACES = """
    select 'effect' as trace, reason as key from mcp_store.qualifications
     union all
    select 'effect', notes from contact_pipeline_statuses
     union all
    select 'effect', notes from mcp_store.assignments
     union all
    select 'told', description from contact_events
     union all
    select 'told', event_data ->> 'Reason' from outbox_events
     union all
    select 'audited', entry ->> 'request_id'
      from mcp_store.audit_log
     where entry ->> 'outcome' in ('changed', 'unchanged')
     union all
    select 'remembered', key from mcp_store.idempotency_keys
"""
_ENTRIES = """
    select entry ->> 'request_id' as key,
           id::text as audit_id,
           entry ->> 'outcome' = 'changed' as changed,
           entry ->> 'contact_id' as contact_id,
           (entry ->> 'version')::integer as version
      from mcp_store.audit_log
     where entry ->> 'outcome' in ('changed', 'unchanged')
"""
_REMEMBERED = "select key, answer ->> 'audit_id' as audit_id from mcp_store.idempotency_keys"
_CHAIN = """
    select previous_hash, hash, concat_ws(E'\\n', tenant_id, number, id, entry::text) as text, number
      from mcp_store.audit_log
     where tenant_id = $1
     order by number
"""
_SEVERAL_OPEN = """
    select contact_id, pipeline_id, count(*)
      from contact_pipeline_statuses
     where exited_at is null and deleted_at is null
     group by contact_id, pipeline_id
    having count(*) > 1
"""
_DISAGREEING_FIELDS = """
    select f.contact_id
      from contact_custom_fields f
      join mcp_store.qualifications q on q.contact_id = f.contact_id and q.superseded_at is null
     where f.field_key = 'lead_qualified'
       and f.field_value <> to_jsonb((q.status = 'qualified')::text)
"""
_IN_FLIGHT = """
    select pid, state, query
      from pg_stat_activity
     where datname = current_database() and application_name = 'crm-mcp' and state <> 'idle'
"""


@dataclass(slots=True)
class Verdict:
    """Traces of changes that are missing, and those that are too many."""

    changes: int
    lost: Counter[tuple[str, str]] = field(default_factory=Counter)
    doubled: Counter[tuple[str, str]] = field(default_factory=Counter)

    def __str__(self) -> str:
        """Return the figures."""
        return f"{self.changes} changes, lost {self.lost.total()}, doubled {self.doubled.total()}"


async def versions(owner: "asyncpg.Connection[asyncpg.Record]") -> dict[str, int]:
    """Return the version of each contact."""
    return {row["id"]: row["version"] for row in await owner.fetch("select id::text, version from contacts")}


async def judge(owner: "asyncpg.Connection[asyncpg.Record]", answers: Mapping[str, Answer]) -> Verdict:
    """Return which traces of the answered changes are missing, and which stand there too often or unasked."""
    due = Counter(
        (trace, key)
        for key, answer in answers.items()
        for trace in ("audited", "remembered", *(("effect", "told") if answer["changed"] else ()))
    )
    found = Counter((row["trace"], row["key"]) for row in await owner.fetch(_TRACES) if is_key(row["key"]))
    return Verdict(len(answers), lost=due - found, doubled=found - due)


def is_key(text: str | None) -> bool:
    """Tell whether *text* is the key of a change, and not something the demonstration data says."""
    return text is not None and text.startswith("change-")


async def assert_consistent(
    owner: "asyncpg.Connection[asyncpg.Record]", answers: Mapping[str, Answer], before: Mapping[str, int]
) -> None:
    """See that answers, audit trail, memory and contacts agree with one another; *before*: versions at first."""
    entries = {row["key"]: dict(row) for row in await owner.fetch(_ENTRIES) if is_key(row["key"])}
    told = ("audit_id", "changed", "contact_id", "version")
    assert entries == {key: {"key": key, **{name: answer[name] for name in told}} for key, answer in answers.items()}
    remembered = {row["key"]: row["audit_id"] for row in await owner.fetch(_REMEMBERED) if is_key(row["key"])}
    assert remembered == {key: answer["audit_id"] for key, answer in answers.items()}
    assert_each_version_once(answers.values(), before, await versions(owner))
    assert await owner.fetch(_SEVERAL_OPEN) == []
    assert await owner.fetch(_DISAGREEING_FIELDS) == []


def assert_each_version_once(answers: Iterable[Answer], before: Mapping[str, int], after: Mapping[str, int]) -> None:
    """See that the versions of each contact count its changes, one by one."""
    given: dict[str, list[int]] = {contact: [] for contact in before}
    for answer in answers:
        if answer["changed"]:
            given[answer["contact_id"]].append(answer["version"])
    expected = {contact: list(range(version + 1, after[contact] + 1)) for contact, version in before.items()}
    assert {contact: sorted(found) for contact, found in given.items()} == expected


async def assert_chain_holds(owner: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Compute the hash of each audit entry anew."""
    previous = b""
    for number, row in enumerate(await owner.fetch(_CHAIN, TENANT), start=1):
        assert (row["number"], row["previous_hash"]) == (number, previous)
        previous = hashlib.sha256(previous + row["text"].encode()).digest()
        assert row["hash"] == previous


async def assert_nothing_in_flight(owner: "asyncpg.Connection[asyncpg.Record]") -> None:
    """See that soon no transaction of the server is open any more."""
    found: list[Any] = []
    for _ in range(100):
        if not (found := await owner.fetch(_IN_FLIGHT)):
            return
        await asyncio.sleep(0.03)
    raise AssertionError(found)
