"""Idempotency keys: whose they are, what they are compared with, and how long they count."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from rpc_server.backends.postgres import Transaction
from rpc_server.contract.errors import Conflict, DeadlineExceeded, NotFound
from tests.tools.office import TOOLS, Office

tools = pytest.mark.parametrize("tool", TOOLS)


def keyed(office: Office, tool: str, **more: Any) -> dict[str, Any]:
    return office.arguments(tool, idempotency_key="k", **more)


# --- replays ------------------------------------------------------------------------------------


@tools
async def test_a_repeated_call_gets_the_first_answer_and_leaves_no_trace(office: Office, tool: str) -> None:
    first = await office.call(tool, keyed(office, tool))
    async with office.watch() as rows:
        second = await office.call(tool, keyed(office, tool))

    assert rows.tables == set()
    assert first["idempotency"] == {"key": "k", "replayed": False}
    assert second == {**first, "idempotency": {"key": "k", "replayed": True}}


@tools
async def test_what_changed_nothing_is_remembered_too(office: Office, tool: str) -> None:
    await office.call(tool, office.arguments(tool))
    first = await office.call(tool, keyed(office, tool))
    second = await office.call(tool, keyed(office, tool))

    assert first["changed"] is False
    assert second == {**first, "idempotency": {"key": "k", "replayed": True}}


@tools
async def test_a_replay_comes_before_the_version(office: Office, tool: str) -> None:
    first = await office.call(tool, keyed(office, tool, expected_version=1))
    second = await office.call(tool, keyed(office, tool, expected_version=1))

    assert (first["version"], second["version"], second["idempotency"]["replayed"]) == (2, 2, True)


async def test_a_replay_tells_the_past_and_does_not_bring_it_back(office: Office) -> None:
    first = await office.call("update_pipeline_stage", keyed(office, "update_pipeline_stage"))
    await office.call("update_pipeline_stage", office.move("lost"))
    async with office.watch() as rows:
        second = await office.call("update_pipeline_stage", keyed(office, "update_pipeline_stage"))

    assert (second["after"], second["version"]) == (first["after"], 2)
    assert rows.tables == set()
    assert await office.version() == 3


@tools
async def test_a_replay_does_not_need_what_is_gone_meanwhile(office: Office, tool: str) -> None:
    await office.call(tool, keyed(office, tool))
    await office.owner.execute("update contacts set deleted_at = now(); update agents set active = false")
    await office.owner.execute("update pipelines set active = false")

    assert (await office.call(tool, keyed(office, tool)))["idempotency"]["replayed"]
    assert (await office.refusal(tool, office.arguments(tool)))["code"] == "not_found"


@tools
async def test_whoever_lost_the_permission_gets_no_replay(office: Office, tool: str) -> None:
    await office.call(tool, keyed(office, tool))
    async with office.watch() as rows:
        refusal = await office.refusal(tool, keyed(office, tool), permissions=["contacts.view"])

    assert refusal["code"] == "permission_denied"
    assert rows.tables == {"audit_log"}


@tools
async def test_what_does_not_fit_the_tool_gets_no_replay(office: Office, tool: str) -> None:
    await office.call(tool, keyed(office, tool))
    refusal = await office.refusal(tool, keyed(office, tool, colour="red"))

    assert refusal["code"] == "invalid_arguments"


@tools
async def test_what_was_refused_left_the_key_unused(office: Office, tool: str) -> None:
    refusal = await office.refusal(tool, keyed(office, tool, expected_version=9))
    assert refusal["code"] == "version_conflict"
    assert await office.rows("mcp_store.idempotency_keys", "key") == []
    answer = await office.call(tool, keyed(office, tool, expected_version=1))

    assert (answer["changed"], answer["idempotency"]["replayed"]) == (True, False)


@tools
async def test_a_dry_run_neither_uses_a_key_nor_is_answered_from_one(office: Office, tool: str) -> None:
    tried = await office.call(tool, keyed(office, tool, dry_run=True))
    first = await office.call(tool, keyed(office, tool))
    again = await office.call(tool, keyed(office, tool, dry_run=True))

    assert tried["idempotency"] == again["idempotency"] == {"key": None, "replayed": False}
    assert (first["changed"], first["idempotency"]["replayed"]) == (True, False)
    assert (again["dry_run"], again["changed"]) == (True, False)


# --- whose a key is -----------------------------------------------------------------------------


async def test_a_key_is_of_one_tenant_one_caller_and_one_tool(office: Office, neighbour: Office) -> None:
    """The same text stands for as many changes."""
    for tool in TOOLS:
        for user in ("ana", "bia"):
            for place in (office, neighbour):
                answer = await place.call(tool, keyed(place, tool), user=user)
                assert answer["idempotency"] == {"key": "k", "replayed": False}
                assert answer["contact_id"] == str(place.rita.id)

    for place in (office, neighbour):
        keys = await place.rows("mcp_store.idempotency_keys", "user_id, tool")
        assert [(key["user_id"], key["tool"]) for key in keys] == [
            (u, t) for u in ("ana", "bia") for t in sorted(TOOLS)
        ]
    for user in ("ana", "bia"):
        assert (await office.call("qualify_lead", keyed(office, "qualify_lead"), user=user))["idempotency"]["replayed"]


async def test_keys_are_told_apart_as_they_are_written(office: Office) -> None:
    """No folding, no trimming: keys of machines may differ in anything."""
    for key in ("k", "K", " k", "k ", "ḱ", "😀", "k" * 255, "k'; --", "\\k", "%", "k\n", "null", "0"):
        answer = await office.call("qualify_lead", office.qualification(idempotency_key=key))
        assert answer["idempotency"] == {"key": key, "replayed": False}
        assert (await office.call("qualify_lead", office.qualification(idempotency_key=key)))["idempotency"]["replayed"]


# --- what a key stands for ----------------------------------------------------------------------


async def others(office: Office) -> list[tuple[str, dict[str, Any]]]:
    """Return calls that differ from `arguments` in one thing each."""
    nino = str(office.nino.id)
    return [
        ("qualify_lead", {"contact_id": nino}),
        ("qualify_lead", {"status": "unqualified"}),
        ("qualify_lead", {"reason": "x"}),
        ("qualify_lead", {"bant_scores": {"need": 0}}),
        ("qualify_lead", {"expected_version": 1}),
        ("update_pipeline_stage", {"contact_id": nino}),
        ("update_pipeline_stage", {"stage_id": str(office.stages["lost"].id)}),
        ("update_pipeline_stage", {"pipeline_id": str(office.care.id)}),
        ("update_pipeline_stage", {"notes": "x"}),
        ("update_pipeline_stage", {"expected_version": 2}),
        ("assign_to_agent", {"contact_id": nino}),
        ("assign_to_agent", {"agent_id": str(office.ana.id)}),
        ("assign_to_agent", {"priority": "low"}),
        ("assign_to_agent", {"notes": "x"}),
        ("assign_to_agent", {"expected_version": 3}),
    ]


async def test_a_key_with_other_arguments_is_refused_and_nothing_is_done(office: Office) -> None:
    for tool in TOOLS:
        await office.call(tool, keyed(office, tool))
    for tool, other in await others(office):
        async with office.watch() as rows:
            refusal = await office.refusal(tool, keyed(office, tool) | other)
        assert refusal["code"] == "idempotency_mismatch", other
        assert "new key" in refusal["message"]
        assert rows.tables == {"audit_log"}
        assert rows.one("audit_log")["entry"]["outcome"] == "idempotency_mismatch"
    for tool in TOOLS:
        assert (await office.call(tool, keyed(office, tool)))["idempotency"]["replayed"]


ASKED = {"status": "qualified", "reason": "quer já", "bant_scores": {"budget": 5, "need": 0}, "expected_version": 1}


@pytest.mark.parametrize(
    "same",
    [
        dict(reversed(ASKED.items())),
        {**ASKED, "dry_run": False},
        {**ASKED, "dry_run": None},
        {**ASKED, "reason": "  quer já\n"},
        {**ASKED, "expected_version": 1.0},
        {**ASKED, "bant_scores": {"need": 0, "budget": 5}},
        {**ASKED, "bant_scores": {"budget": 5.0, "need": 0.0}},
        {**ASKED, "bant_scores": {"budget": 5, "need": 0, "authority": None, "timeline": None}},
    ],
)
async def test_the_same_arguments_in_other_words_are_the_same(office: Office, same: dict[str, Any]) -> None:
    whose = {"contact_id": str(office.rita.id), "idempotency_key": "k"}
    await office.call("qualify_lead", {**whose, **ASKED})
    answer = await office.call("qualify_lead", {**same, **whose, "contact_id": whose["contact_id"].upper()})

    assert answer["idempotency"]["replayed"]


@pytest.mark.parametrize(
    "same",
    [
        {"reason": None, "bant_scores": None, "expected_version": None, "dry_run": None},
        {"reason": "", "bant_scores": {}},
        {"reason": " ", "bant_scores": {"budget": None}},
    ],
)
async def test_what_is_left_out_may_be_spelled_out(office: Office, same: dict[str, Any]) -> None:
    await office.call("qualify_lead", keyed(office, "qualify_lead"))
    answer = await office.call("qualify_lead", keyed(office, "qualify_lead") | same)

    assert answer["idempotency"]["replayed"]


# --- while the first still runs -----------------------------------------------------------------


@tools
async def test_a_call_waits_for_the_one_with_its_key_and_then_has_its_answer(office: Office, tool: str) -> None:
    async with office.watch() as rows, office.calling() as line, asyncio.timeout(10):
        async with office.held():
            calls = [asyncio.create_task(line.call(tool, keyed(office, tool))) for _ in range(4)]
            await office.waiting(4)
        answers = await asyncio.gather(*calls)

    assert sorted(answer["idempotency"]["replayed"] for answer in answers) == [False, True, True, True]
    assert len({answer["audit_id"] for answer in answers}) == 1
    assert [entry["outcome"] for entry in await office.trail()] == ["changed"]
    assert len(rows.added["idempotency_keys"]) == 1


async def test_a_call_waits_for_the_one_with_its_key_and_is_then_refused(office: Office) -> None:
    async with office.calling() as line, asyncio.timeout(10):
        async with office.held():
            first = asyncio.create_task(line.call("qualify_lead", keyed(office, "qualify_lead")))
            await office.waiting()
            other = keyed(office, "qualify_lead", contact=office.nino)
            second = asyncio.create_task(line.call("qualify_lead", other))
            await office.waiting(2)
        assert (await first)["changed"]
        with pytest.raises(Conflict) as refused:
            await second

    assert refused.value.code == "idempotency_mismatch"
    assert await office.version(office.nino) == 1


async def test_a_call_that_waited_for_one_that_failed_makes_the_change(office: Office) -> None:
    async with office.calling() as line, asyncio.timeout(10):
        async with office.held():
            stranger = keyed(office, "assign_to_agent", expected_version=7)
            first = asyncio.create_task(line.call("assign_to_agent", stranger))
            await office.waiting()
            second = asyncio.create_task(line.call("assign_to_agent", keyed(office, "assign_to_agent")))
            await office.waiting(2)
        with pytest.raises(Conflict):
            await first

    answer = await second
    assert (answer["changed"], answer["idempotency"]["replayed"]) == (True, False)


async def test_a_call_that_waits_too_long_says_so_and_runs_nothing(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = keyed(office, "qualify_lead")
    async with office.calling() as line, asyncio.timeout(10):
        async with office.held():
            first = asyncio.create_task(line.call("qualify_lead", arguments))
            await office.waiting()
            monkeypatch.setattr(Transaction, "opening", Transaction.opening.replace("'10s'", "'100ms'"))
            with pytest.raises(DeadlineExceeded, match=r"still running\. Call again in a moment, with the same arg"):
                await line.call("qualify_lead", arguments)
        answer = await first
        again = await line.call("qualify_lead", arguments)

    assert (answer["idempotency"]["replayed"], again["idempotency"]["replayed"]) == (False, True)
    assert await office.version() == 2


async def test_different_keys_do_not_wait_for_each_other(office: Office) -> None:
    async with office.calling() as line, asyncio.timeout(10), office.held():
        held = asyncio.create_task(line.call("qualify_lead", keyed(office, "qualify_lead")))
        await office.waiting()
        free = office.qualification(contact=office.nino, idempotency_key="another")
        assert (await line.call("qualify_lead", free))["changed"]
        assert not held.done()


# --- how long a key counts ----------------------------------------------------------------------


async def test_keys_are_forgotten_after_two_days_and_not_before(office: Office, neighbour: Office) -> None:
    ages = (0, 24, 47, 48, 49, 500)
    for place in (office, neighbour):
        for hours in ages:
            await place.call("qualify_lead", place.qualification(idempotency_key=f"{hours} h"))
    for hours in ages:
        await office.owner.execute(
            "update mcp_store.idempotency_keys set created_at = now() - $1::interval"
            " where key = $2 and tenant_id = any ($3)",
            timedelta(hours=hours),
            f"{hours} h",
            [office.tenant, neighbour.tenant],
        )
    await office.call("qualify_lead", keyed(office, "qualify_lead"))

    kept = await office.rows("mcp_store.idempotency_keys", "key")
    assert {key["key"] for key in kept} == {"k", "0 h", "24 h", "47 h"}
    # A tenant's keys are forgotten when it makes a change.
    assert len(await neighbour.rows("mcp_store.idempotency_keys", "key")) == 6
    for key in ("24 h", "47 h"):
        answer = await office.call("qualify_lead", office.qualification(idempotency_key=key))
        assert answer["idempotency"]["replayed"]
    answer = await office.call("qualify_lead", office.qualification(idempotency_key="48 h"))
    assert not answer["idempotency"]["replayed"]


async def test_more_keys_are_forgotten_than_fit_into_one_statement(office: Office) -> None:
    await office.owner.execute(
        "insert into mcp_store.idempotency_keys (tenant_id, user_id, tool, key, payload_hash, answer, created_at)"
        " select $1, 'u' || n % 7, 'qualify_lead', 'old ' || n, 'x', '{}', now() - interval '3 days'"
        " from generate_series(1, 1234) n",
        office.tenant,
    )
    await office.call("qualify_lead", keyed(office, "qualify_lead"))

    assert [row["key"] for row in await office.rows("mcp_store.idempotency_keys", "key")] == ["k"]


async def test_keys_are_looked_for_now_and_then_only(office: Office) -> None:
    old = (
        "insert into mcp_store.idempotency_keys (tenant_id, user_id, tool, key, payload_hash, answer, created_at)"
        " values ($1, 'u', 'qualify_lead', 'old', 'x', '{}', now() - interval '3 days')"
    )
    async with office.calling() as line:
        await line.call("qualify_lead", office.qualification(idempotency_key="1"))
        await line.calls._writes.close()
        await office.owner.execute(old, office.tenant)
        await line.call("qualify_lead", office.qualification(idempotency_key="2"))

    assert "old" in [row["key"] for row in await office.rows("mcp_store.idempotency_keys", "key")]


async def test_a_key_of_a_refused_contact_is_nobodys(office: Office, neighbour: Office) -> None:
    """A key that another tenant's change has is not found by naming that tenant's contact."""
    await neighbour.call("qualify_lead", keyed(neighbour, "qualify_lead"))
    with pytest.raises(NotFound):
        await office.call("qualify_lead", keyed(neighbour, "qualify_lead"))
