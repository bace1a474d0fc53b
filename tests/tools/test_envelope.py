"""What all tools that write have in common: version, dry run, one transaction, and the audit trail."""

import asyncio
import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
import structlog

from handlers import CATALOG
from rpc_server.backends.postgres import Snapshot, Transaction
from rpc_server.contract.errors import DeadlineExceeded, DependencyUnavailable, Internal, ToolError
from rpc_server.contract.query import Query, Row, TransactionLost
from rpc_server.contract.result import Result
from rpc_server.contract.tool import Call, Catalog
from tests.tools.office import TOOLS, Office

tools = pytest.mark.parametrize("tool", TOOLS)


class Pause:
    """Tools of which one makes its change and then does not end until told to, or the block ends."""

    def __init__(self, tool: str, seconds: float = 60) -> None:
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()
        paused = replace(CATALOG[tool], run=self._run, timeout_seconds=seconds)
        self.tools: Catalog = {**CATALOG, tool: paused}
        self._tool = CATALOG[tool]

    async def __aenter__(self) -> None:
        """Begin."""

    async def __aexit__(self, *exception: object) -> None:
        """Go on, whatever happened."""
        self.go_on.set()

    async def _run(self, call: Call, arguments: Any) -> Result:
        result = await self._tool.run(call, arguments)
        self.begun.set()
        await self.go_on.wait()
        return result


# --- version ------------------------------------------------------------------------------------


@tools
async def test_a_change_of_the_version_that_was_read_is_made(office: Office, tool: str) -> None:
    contact = await office.call("get_contact", {"contact_id": str(office.rita.id)})
    answer = await office.call(tool, office.arguments(tool, expected_version=contact["version"]))

    assert (True, contact["version"] + 1) == (answer["changed"], answer["version"])
    assert await office.version() == answer["version"]


@tools
@pytest.mark.parametrize("expected", [1, 3, 2**31 - 1])
async def test_a_change_of_another_version_is_refused_with_the_current_one(
    office: Office, tool: str, expected: int
) -> None:
    await office.owner.execute("update contacts set version = 2")
    async with office.watch() as rows:
        refusal = await office.refusal(tool, office.arguments(tool, expected_version=expected))

    assert ("version_conflict", 2, expected) == tuple(
        refusal[name] for name in ("code", "current_version", "expected_version")
    )
    assert f"has version 2 now, not {expected}" in refusal["message"]
    assert rows.tables == {"audit_log"}
    assert rows.one("audit_log")["entry"]["outcome"] == "version_conflict"


@tools
async def test_what_is_so_already_is_refused_too_where_the_version_is_another(office: Office, tool: str) -> None:
    await office.call(tool, office.arguments(tool))
    refusal = await office.refusal(tool, office.arguments(tool, expected_version=1))

    assert refusal["code"] == "version_conflict"


@tools
async def test_what_is_so_already_leaves_only_its_audit_entry(office: Office, tool: str) -> None:
    await office.call(tool, office.arguments(tool))
    async with office.watch() as rows:
        answer = await office.call(tool, office.arguments(tool, expected_version=2))

    assert rows.tables == {"audit_log"}
    assert (answer["changed"], answer["version"], await office.version()) == (False, 2, 2)
    assert answer["before"] == answer["after"]
    assert rows.one("audit_log")["entry"]["outcome"] == "unchanged"


# --- dry run ------------------------------------------------------------------------------------


@tools
@pytest.mark.parametrize("again", [False, True], ids=["a change", "what is so already"])
async def test_a_dry_run_answers_what_the_change_answers_and_changes_nothing(
    office: Office, tool: str, again: bool
) -> None:
    if again:
        await office.call(tool, office.arguments(tool))
    async with office.watch() as rows:
        tried = await office.call(tool, office.arguments(tool, dry_run=True))
    done = await office.call(tool, office.arguments(tool))

    assert rows.tables == {"audit_log"}
    entry = rows.one("audit_log")["entry"]
    assert (True, "unchanged" if again else "changed") == (entry["dry_run"], entry["outcome"])
    assert (tried["dry_run"], done["dry_run"]) == (True, False)
    assert tried["audit_id"] != done["audit_id"]
    since, until = (answer.pop("seconds_in_previous_stage", None) or 0 for answer in (tried, done))
    assert 0 <= until - since <= 1
    assert {**tried, "dry_run": False, "audit_id": done["audit_id"]} == done


async def refused_arguments(office: Office) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return arguments that are refused, by the code they are refused with and what is amiss."""
    nobody = str(uuid4())
    return {
        "not_found contact": ("qualify_lead", office.qualification() | {"contact_id": nobody}),
        "not_found pipeline": ("update_pipeline_stage", office.move() | {"pipeline_id": nobody}),
        "not_found agent": ("assign_to_agent", office.assignment() | {"agent_id": nobody}),
        "stage_not_in_pipeline": ("update_pipeline_stage", office.move() | {"stage_id": nobody}),
        "stage_inactive": ("update_pipeline_stage", office.move("idle")),
        "agent_inactive": ("assign_to_agent", office.assignment(office.idle)),
        "agent_not_assignable": ("assign_to_agent", office.assignment(office.others["ai"])),
        "version_conflict": ("qualify_lead", office.qualification(expected_version=7)),
        "invalid_arguments": ("qualify_lead", office.qualification(status="maybe")),
    }


async def test_a_dry_run_is_refused_as_the_change_is(office: Office) -> None:
    for what, (tool, arguments) in (await refused_arguments(office)).items():
        refused = await office.refusal(tool, arguments)
        async with office.watch() as rows:
            tried = await office.refusal(tool, {**arguments, "dry_run": True})

        assert tried == refused, what
        assert refused["code"] == what.split()[0]
        assert rows.tables == {"audit_log"}, what
        entry = rows.one("audit_log")["entry"]
        assert entry["outcome"] == refused["code"]
        # Invalid arguments are not read any further.
        assert entry.get("dry_run") is (None if what == "invalid_arguments" else True), what


# --- one transaction ----------------------------------------------------------------------------


class Unforeseen(Exception):
    """A bug of ours, in the middle of a change."""


@tools
async def test_what_breaks_in_the_middle_leaves_nothing_but_its_incident(
    office: Office, tool: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each statement of a change in turn breaks, the last one after the audit entry."""
    sent: list[str] = []
    breaks_at = 0
    send = Snapshot.all

    async def all_but_one(self: Snapshot, query: Query, /, **parameters: Any) -> Sequence[Row]:
        if isinstance(self, Transaction) and query.name != "writes/forget_keys":
            sent.append(query.name)
            if len(sent) == breaks_at:
                raise Unforeseen
        return await send(self, query, **parameters)

    monkeypatch.setattr(Snapshot, "all", all_but_one)
    answer = None
    with structlog.testing.capture_logs():
        while answer is None:
            breaks_at += 1
            sent.clear()
            async with office.watch() as rows:
                with suppress(Internal):
                    answer = await office.call(tool, office.arguments(tool, idempotency_key="k"))
            if answer is None:
                assert rows.tables == {"audit_log"}
                assert rows.one("audit_log")["entry"]["outcome"] == "internal"

    assert breaks_at == len(sent) + 1 > 10
    assert (sent[0], *sent[-2:]) == ("writes/claim_key", "writes/add_audit_entry", "writes/keep_answer")
    assert (answer["changed"], answer["idempotency"]) == (True, {"key": "k", "replayed": False})


@tools
async def test_writers_of_a_contact_queue_and_each_sees_what_the_one_before_did(office: Office, tool: str) -> None:
    async with office.calling() as line, asyncio.timeout(10):
        async with office.held():
            calls = [asyncio.create_task(line.call(tool, office.arguments(tool))) for _ in range(3)]
            await office.waiting(3)
        answers = await asyncio.gather(*calls)

    assert sorted(answer["changed"] for answer in answers) == [False, False, True]
    assert {2} == {answer["version"] for answer in answers}


@tools
async def test_what_only_refers_to_a_contact_does_not_wait_for_its_change(office: Office, tool: str) -> None:
    """The CRM takes in messages, events and fields of a contact without locking it."""
    pause = Pause(tool)
    async with office.calling(pause.tools) as line, pause:
        change = asyncio.create_task(line.call(tool, office.arguments(tool)))
        await pause.begun.wait()
        message = (
            "insert into messages (tenant_id, timestamp, user_id, project_id, channel_id, contact_id, session_id)"
            " select c.tenant_id, now(), p.user_id, p.id, h.id, c.id, s.id from contacts c"
            " join projects p on p.id = c.project_id join channels h on h.project_id = p.id"
            " join sessions s on s.contact_id = c.id where c.id = $1"
        )
        assert await office.owner.execute(message, office.rita.id, timeout=2) == "INSERT 0 1"
        pause.go_on.set()
        assert (await change)["changed"]


@tools
async def test_a_change_that_began_is_made_though_its_caller_went_away(office: Office, tool: str) -> None:
    pause = Pause(tool)
    async with office.calling(pause.tools) as line, pause:
        change = asyncio.create_task(line.call(tool, office.arguments(tool, idempotency_key="k")))
        await pause.begun.wait()
        change.cancel()
        with pytest.raises(asyncio.CancelledError):
            await change
        assert await office.version() == 1
        pause.go_on.set()

    assert await office.version() == 2
    answer = await office.call(tool, office.arguments(tool, idempotency_key="k"))
    assert (answer["changed"], answer["idempotency"]["replayed"]) == (True, True)
    assert [entry["outcome"] for entry in await office.trail()] == ["changed"]


@tools
async def test_a_change_that_waits_is_made_though_its_caller_went_away(office: Office, tool: str) -> None:
    async with office.calling() as line, office.held():
        change = asyncio.create_task(line.call(tool, office.arguments(tool)))
        await office.waiting()
        change.cancel()
        with pytest.raises(asyncio.CancelledError):
            await change

    assert await office.version() == 2


@tools
async def test_whoever_runs_out_of_time_is_told_that_the_change_may_have_been_made(office: Office, tool: str) -> None:
    pause = Pause(tool, seconds=0.2)
    arguments = office.arguments(tool, idempotency_key="k")
    async with office.calling(pause.tools) as line, pause:
        with pytest.raises(DeadlineExceeded, match="may or may not have been done: call again with the same idem"):
            await line.call(tool, arguments)
        pause.go_on.set()

    answer = await office.call(tool, arguments)
    assert (answer["changed"], answer["idempotency"]["replayed"], await office.version()) == (True, True, 2)
    assert sorted(entry["outcome"] for entry in await office.trail()) == ["changed", "deadline_exceeded"]


async def test_a_change_whose_time_runs_out_while_it_waits_is_not_made(office: Office) -> None:
    tools = {**CATALOG, "qualify_lead": replace(CATALOG["qualify_lead"], timeout_seconds=0.2)}
    arguments = office.qualification(idempotency_key="k")
    async with office.calling(tools) as line, office.held():
        with pytest.raises(DeadlineExceeded):
            await line.call("qualify_lead", arguments)
        # The statement has the same time as the call.
        await office.waiting(0)

    assert await office.version() == 1
    answer = await office.call("qualify_lead", arguments)
    assert (answer["changed"], answer["idempotency"]["replayed"]) == (True, False)


@tools
async def test_whoever_waits_too_long_for_another_change_is_told_so(
    office: Office, tool: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Transaction, "opening", Transaction.opening.replace("'10s'", "'100ms'"))
    async with office.held(), office.watch() as rows:
        refusal = await office.refusal(tool, office.arguments(tool))

    assert (refusal["code"], refusal["retry_after"]) == ("deadline_exceeded", 2)
    assert "Another change of the same thing is still running" in refusal["message"]
    assert rows.tables == {"audit_log"}


async def test_a_change_that_loses_a_deadlock_is_made_again_from_nothing(office: Office) -> None:
    """The CRM locks a conversation first and then its contact; PostgreSQL ends whoever asks first, which is us."""
    go_on = asyncio.Event()

    async def crm_does() -> None:
        other = await asyncpg.connect(office.crm.owner_url)
        async with other.transaction():
            await other.execute("set local deadlock_timeout = '20s'")
            await other.execute("select from sessions where contact_id = $1 for update", office.rita.id)
            go_on.set()
            await office.waiting()
            await other.execute("update contacts set name = name where id = $1", office.rita.id, timeout=10)
        await other.close()

    with structlog.testing.capture_logs() as logs:
        async with office.watch() as rows:
            crm = asyncio.create_task(crm_does())
            await go_on.wait()
            answer = await office.call("assign_to_agent", office.assignment(idempotency_key="k"))
            await crm

    assert [(log["query"], log["attempt"]) for log in logs if log["event"] == "transaction lost"] == [
        ("operations/lock_active_session", 1)
    ]
    assert (answer["changed"], answer["version"], answer["idempotency"]["replayed"]) == (True, 2, False)
    assert {1} == {len(rows.added[table]) for table in ("assignments", "contact_events", "audit_log")}


async def test_a_change_that_loses_again_and_again_is_given_up(office: Office) -> None:
    tries = 0

    async def lose(call: Call, arguments: Any) -> Result:
        nonlocal tries
        tries += 1
        await CATALOG["qualify_lead"].run(call, arguments)
        raise TransactionLost("some query")

    tools = {**CATALOG, "qualify_lead": replace(CATALOG["qualify_lead"], run=lose)}
    async with office.watch() as rows, office.calling(tools) as line:
        with pytest.raises(DeadlineExceeded, match="this one was not made"):
            await line.call("qualify_lead", office.qualification(idempotency_key="k"))

    assert tries == 4
    assert rows.tables == {"audit_log"}


@pytest.mark.parametrize("dry_run", [False, True])
async def test_a_connection_that_is_lost_in_the_middle_is_no_incident(office: Office, dry_run: bool) -> None:
    pause = Pause("qualify_lead")
    async with office.calling(pause.tools) as line, pause:
        change = asyncio.create_task(line.call("qualify_lead", office.qualification(dry_run=dry_run)))
        await pause.begun.wait()
        await office.lose_connections()
        pause.go_on.set()
        with pytest.raises(DependencyUnavailable):
            await change

    assert await office.version() == 1
    # The trail needs a connection too, and finds another one.
    assert [entry["outcome"] for entry in await office.trail()] == ["dependency_unavailable"]


# --- the audit trail ----------------------------------------------------------------------------


@tools
async def test_an_entry_tells_who_did_what_and_how_it_ended_without_the_words(office: Office, tool: str) -> None:
    words = "liga amanhã, o CPF é 123"
    arguments = office.arguments(tool) | {"reason" if tool == "qualify_lead" else "notes": words}
    answer = await office.call(tool, arguments, user="ana@acme")
    (row,) = await office.rows("mcp_store.audit_log", "number")
    entry = json.loads(row["entry"])

    canonical = json.dumps(arguments, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    at = entry.pop("at")
    assert entry == {
        "user": "ana@acme",
        "tool": tool,
        "outcome": "changed",
        "request_id": "test",
        "arguments": {"names": sorted(arguments), "sha256": hashlib.sha256(canonical).hexdigest()},
        "dry_run": False,
        "contact_id": str(office.rita.id),
        "version": 2,
        "before": answer["before"],
        "after": {
            name: f"{len(words)} characters" if value == words else value for name, value in answer["after"].items()
        },
    }
    assert (office.tenant, 1, answer["audit_id"], b"") == (
        row["tenant_id"],
        row["number"],
        str(row["id"]),
        row["previous_hash"],
    )
    assert words not in row["entry"] and "amanhã" not in row["entry"]
    assert at.endswith("Z")


async def test_an_entry_stands_where_the_change_stands(office: Office) -> None:
    """One line of entries, each after the one before, whoever wrote it."""
    for number, tool in enumerate(TOOLS * 2):
        await office.call(tool, office.arguments(tool, dry_run=number % 2 == 1))
    await office.refusal("qualify_lead", {})
    rows = await office.rows("mcp_store.audit_log", "number")

    assert [row["number"] for row in rows] == list(range(1, 8))
    assert [row["previous_hash"] for row in rows] == [b"", *(row["hash"] for row in rows[:-1])]
    times = [entry["at"] for entry in await office.trail()]
    assert times == sorted(times)


@pytest.mark.parametrize("tool", [*TOOLS, "get_leads_count", "list_pipelines"])
async def test_whoever_lacks_the_permission_is_put_on_record(office: Office, tool: str) -> None:
    async with office.watch() as rows:
        refusal = await office.refusal(tool, {"reason": "segredo", "x": 1}, permissions=["members.view"], user="eva")

    entry = rows.one("audit_log")["entry"]
    assert refusal["code"] == entry["outcome"] == "permission_denied"
    assert (entry["user"], entry["tool"]) == ("eva", tool)
    assert "segredo" not in str(entry) and "x" not in entry["arguments"]["names"]
    assert rows.tables == {"audit_log"}


async def test_reading_leaves_no_entry_be_it_refused_for_what_it_asks(office: Office) -> None:
    async with office.watch() as rows:
        await office.call("list_pipelines", {})
        await office.refusal("get_contact", {"contact_id": str(uuid4())})
        await office.refusal("get_leads_count", {"period": "never"})

    assert rows.tables == set()


@tools
async def test_a_refused_change_is_put_on_record_with_the_contact_that_it_named(office: Office, tool: str) -> None:
    nobody = str(uuid4())
    async with office.watch() as rows:
        await office.refusal(tool, {**office.arguments(tool), "contact_id": nobody}, user="eva")

    entry = rows.one("audit_log")["entry"]
    assert ("not_found", nobody, False, "eva") == tuple(
        entry[name] for name in ("outcome", "contact_id", "dry_run", "user")
    )
    assert "before" not in entry


async def test_entries_of_refusals_wait_for_nobody_and_are_not_lost(office: Office) -> None:
    """Another change of the tenant holds the end of the chain; the refused caller has the answer meanwhile."""
    async with office.calling() as line, asyncio.timeout(10):
        other = await asyncpg.connect(office.crm.owner_url)
        async with other.transaction():
            await other.execute("insert into mcp_store.audit_log (tenant_id, entry) values ($1, '{}')", office.tenant)
            for _ in range(3):
                with pytest.raises(ToolError):
                    await line.call("qualify_lead", {})
            await office.waiting()
            assert await office.trail() == []
        await other.close()

    assert [None, *["invalid_arguments"] * 3] == [entry.get("outcome") for entry in await office.trail()]


async def test_an_entry_whose_connection_is_lost_is_written_by_another_one(office: Office) -> None:
    async with office.calling() as line, asyncio.timeout(10):
        other = await asyncpg.connect(office.crm.owner_url)
        async with other.transaction():
            await other.execute("insert into mcp_store.audit_log (tenant_id, entry) values ($1, '{}')", office.tenant)
            with pytest.raises(ToolError):
                await line.call("qualify_lead", {})
            await office.waiting()
            await office.lose_connections()
            await office.waiting(0)
            await office.waiting()
        await other.close()

    assert [entry.get("outcome") for entry in await office.trail()] == [None, "invalid_arguments"]
