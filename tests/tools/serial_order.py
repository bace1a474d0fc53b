"""What many changes at once have left, held against the one order in which the audit trail says they happened."""

import hashlib
import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg

from tests.tools.office import Office

Entry: TypeAlias = dict[str, Any]
State: TypeAlias = dict[str, Any]

_UNDECIDED = {
    "status": "undecided",
    **dict.fromkeys(("reason", "budget", "authority", "need", "timeline", "score", "weights_version")),
}
_NOWHERE = dict.fromkeys(("stage_id", "stage_name", "type", "outcome"))
_NOBODY = dict.fromkeys(("agent_id", "agent_name", "priority", "notes"))


@dataclass(frozen=True, slots=True)
class Made:
    """A call that was made, and what came of it: an answer, the code of its error, or neither."""

    tool: str
    arguments: dict[str, Any]
    user: str
    answer: dict[str, Any] | None = None
    code: str | None = None

    @property
    def key(self) -> tuple[str, str, str] | None:
        """Whose key it is, of which tool, and the key; None without one, also for a dry run."""
        key = self.arguments.get("idempotency_key")
        return (self.user, self.tool, key) if key and not self.arguments.get("dry_run") else None


def without_words(state: State) -> State:
    """Return a state as the audit trail has it."""
    return {
        name: f"{len(value)} characters" if name in ("reason", "notes") and value is not None else value
        for name, value in state.items()
    }


class Judge:
    """Reads all that stands in an office's tenant, and asserts that it is what the trail, in its order, leaves."""

    def __init__(self, office: Office, made: list[Made]) -> None:
        self.office = office
        self.made = made
        self.entries: dict[str, Entry] = {}

    async def judge(self) -> None:
        """Assert everything."""
        self.entries = await self._chained_entries()
        self.effects = {
            id: entry
            for id, entry in self.entries.items()
            if entry["outcome"] in ("changed", "unchanged") and not entry["dry_run"]
        }
        self.changes = [entry for entry in self.effects.values() if entry["outcome"] == "changed"]
        self._versions_increase()
        final = self._replayed()
        await self._rows_are(final)
        await self._histories_have_no_seams()
        await self._each_change_left_its_rows()
        self._answers_tell_what_happened()
        await self._each_key_ran_once()

    async def _chained_entries(self) -> dict[str, Entry]:
        """Return the entries by their ids, in order, having recomputed the chain."""
        entries, previous = {}, b""
        for number, row in enumerate(await self.office.rows("mcp_store.audit_log", "number"), 1):
            assert (row["number"], row["previous_hash"]) == (number, previous)
            text = "\n".join((self.office.tenant, str(number), str(row["id"]), row["entry"]))
            previous = hashlib.sha256(previous + text.encode()).digest()
            assert row["hash"] == previous
            entries[str(row["id"])] = json.loads(row["entry"])
        times = [entry["at"] for entry in entries.values()]
        assert times == sorted(times)
        return entries

    def _versions_increase(self) -> None:
        """Each change gives its contact the next version, in the order of the trail."""
        versions: Counter[str] = Counter(str(contact.id) for contact in self.office.world.contacts)
        for effect in self.effects.values():
            versions[effect["contact_id"]] += effect["outcome"] == "changed"
            assert effect["version"] == versions[effect["contact_id"]]
        self.versions = versions

    def _replayed(self) -> dict[tuple[str, str], State]:
        """Go from the initial states through all effects; each begins where the one before ended."""
        states: dict[tuple[str, str], State] = {}
        for contact in (str(contact.id) for contact in self.office.world.contacts):
            states |= {(contact, "qualify_lead"): _UNDECIDED, (contact, "assign_to_agent"): _NOBODY}
            states[contact, "update_pipeline_stage"] = _NOWHERE
        new = self.office.stages["new"]
        standing = {"stage_id": str(new.id), "stage_name": new.name, "type": new.status_type, "outcome": None}
        states[str(self.office.rita.id), "update_pipeline_stage"] = standing
        for effect in self.effects.values():
            place = effect["contact_id"], effect["tool"]
            assert effect["before"] == states[place]
            assert effect["outcome"] == "changed" or effect["after"] == states[place]
            states[place] = effect["after"]
        return states

    async def _rows_are(self, final: dict[tuple[str, str], State]) -> None:
        """The rows that are current say what the last state says."""
        for row in await self.office.rows("contacts"):
            assert row["version"] == self.versions[str(row["id"])]
        for table, tool, nothing in (
            ("mcp_store.qualifications", "qualify_lead", _UNDECIDED),
            ("mcp_store.assignments", "assign_to_agent", _NOBODY),
        ):
            current = {r["contact_id"]: r for r in await self.office.rows(table) if r["superseded_at"] is None}
            for contact in self.office.world.contacts:
                expected = final[str(contact.id), tool]
                found = current.get(contact.id)
                assert _plain(found, expected) == expected if found else expected == nothing
        standing = defaultdict(list)
        for row in await self.office.rows("contact_pipeline_statuses"):
            if row["exited_at"] is None:
                standing[row["contact_id"]].append(str(row["status_id"]))
        for contact in self.office.world.contacts:
            stage = final[str(contact.id), "update_pipeline_stage"]["stage_id"]
            assert standing[contact.id] == ([stage] if stage else [])
        await self._conversation_is_with(final[str(self.office.rita.id), "assign_to_agent"]["agent_id"])

    async def _conversation_is_with(self, agent_id: str | None) -> None:
        (session,) = await self.office.rows("sessions")
        joined = await self.office.owner.fetch("select * from agent_sessions where session_id = $1", session["id"])
        listed = json.loads(session["agent_ids"])
        current = agent_id or str(self.office.ana.id)
        assert listed[-1] == current
        assert len(listed) == len(set(listed))
        assert [str(row["agent_id"]) for row in joined if row["left_at"] is None] == [current]
        # One transfer, one row, one version.
        assert len(joined) - 1 == session["agent_transfers"] == session["version"] - 1

    async def _histories_have_no_seams(self) -> None:
        """Whatever ends, ends at the moment at which the next begins, and one is current."""
        for table, begins, ends in (
            ("mcp_store.qualifications", "decided_at", "superseded_at"),
            ("mcp_store.assignments", "assigned_at", "superseded_at"),
            ("contact_pipeline_statuses", "entered_at", "exited_at"),
        ):
            of: dict[UUID, list[asyncpg.Record]] = defaultdict(list)
            for row in await self.office.rows(table, begins):
                of[row["contact_id"]].append(row)
            for rows in of.values():
                assert all(one[ends] == next[begins] for one, next in pairwise(rows))
                assert rows[-1][ends] is None

    async def _each_change_left_its_rows(self) -> None:
        made = Counter(change["tool"] for change in self.changes)
        for table, expected in (
            ("mcp_store.qualifications", made["qualify_lead"]),
            ("mcp_store.assignments", made["assign_to_agent"]),
            ("contact_pipeline_statuses", made["update_pipeline_stage"] + 1),
            ("outbox_events", made["update_pipeline_stage"]),
            ("contact_events", made["qualify_lead"] + made["assign_to_agent"]),
        ):
            assert len(await self.office.rows(table)) == expected, table

    def _answers_tell_what_happened(self) -> None:
        for call in self.made:
            if call.answer is None:
                continue
            entry = self.entries[call.answer["audit_id"]]
            for name in ("contact_id", "version"):
                assert call.answer[name] == entry[name]
            assert (entry["tool"], entry["user"]) == (call.tool, call.user)
            assert call.answer["changed"] is (entry["outcome"] == "changed")
            assert call.answer["dry_run"] is entry["dry_run"] is bool(call.arguments.get("dry_run"))
            assert without_words(call.answer["before"]) == entry["before"]
            assert without_words(call.answer["after"]) == entry["after"]

    async def _each_key_ran_once(self) -> None:
        """A key has one answer, whoever asked; what nobody was answered may have happened, once."""
        answers: dict[tuple[str, str, str], set[str]] = defaultdict(set)
        ran: Counter[tuple[str, str, str]] = Counter()
        alone, unknown = [], 0
        for call in self.made:
            if call.answer is not None and call.key is not None:
                answers[call.key].add(call.answer["audit_id"])
                ran[call.key] += not call.answer["idempotency"]["replayed"]
            elif call.answer is not None and not call.answer["dry_run"]:
                alone.append(call.answer["audit_id"])
            elif call.key is None and not call.arguments.get("dry_run"):
                unknown += call.code in (None, "dependency_unavailable")
        assert all(len(ids) == 1 for ids in answers.values())
        assert all(times <= 1 for times in ran.values())
        assert len(alone) == len(set(alone))
        kept = {(row["user_id"], row["tool"], row["key"]): row for row in await self._keys()}
        assert answers.keys() <= kept.keys()
        of_keys = {json.loads(row["answer"])["audit_id"] for row in kept.values()}
        assert {id for ids in answers.values() for id in ids} <= of_keys
        assert len(of_keys) == len(kept)
        # Every effect is that of a key, or of a call without one.
        unclaimed = self.effects.keys() - of_keys - set(alone)
        assert of_keys | set(alone) <= self.effects.keys()
        assert len(unclaimed) <= unknown

    async def _keys(self) -> list[asyncpg.Record]:
        return await self.office.rows("mcp_store.idempotency_keys", "user_id, tool, key")


def _plain(row: asyncpg.Record, like: State) -> State:
    """Return those columns of a row that a state has, as JSON has them."""
    plain = {name: row[name] for name in like if name in row}
    for name, value in plain.items():
        if isinstance(value, UUID):
            plain[name] = str(value)
    if plain.get("score") is not None:
        plain["score"] = float(plain["score"])
    # A name belongs to the agent and not to the assignment.
    return without_words(plain | {name: like[name] for name in like if name not in plain})
