"""What the tools that write take and what they do not: each refusal names its field and changes nothing."""

import json
from typing import Any
from uuid import uuid4

import pytest

from handlers import CATALOG
from tests.tools.office import TOOLS, Office

tools = pytest.mark.parametrize("tool", TOOLS)

NUMBER, TEXT = "expected a whole number", "expected text"
EXPECTED_VERSIONS = [
    (0, "expected_version: is 0; expected at least 1"),
    (-1, "expected_version: is -1; expected at least 1"),
    (2**31, f"expected_version: is {2**31}; expected at most {2**31 - 1}"),
    (10**30, f"expected_version: is {10**30}; expected at most {2**31 - 1}"),
    (1e300, f"expected_version: is 1e+300; {NUMBER}"),
    ("1", f"expected_version: is '1'; {NUMBER}"),
    ("", f"expected_version: is ''; {NUMBER}"),
    (1.5, f"expected_version: is 1.5; {NUMBER}"),
    (True, f"expected_version: is true; {NUMBER}"),
    ([1], f"expected_version: is a list; {NUMBER}"),
]
KEYS = [
    ("k" * 256, "idempotency_key: has 256 characters; expected at most 255 characters"),
    ("😀" * 256, "idempotency_key: has 256 characters; expected at most 255 characters"),
    ("", "idempotency_key: is blank; expected at least one visible character"),
    (" \t\n", "idempotency_key: is blank; expected at least one visible character"),
    ("a\x00b", "idempotency_key: contains a NUL character; expected text without it"),
    (7, f"idempotency_key: is 7; {TEXT}"),
    (["k"], f"idempotency_key: is a list; {TEXT}"),
    ({}, f"idempotency_key: is an object; {TEXT}"),
]
DRY_RUNS = [
    ("true", "dry_run: is 'true'; expected true or false"),
    (1, "dry_run: is 1; expected true or false"),
]
ENVELOPE = [
    *(("expected_version", *case) for case in EXPECTED_VERSIONS),
    *(("idempotency_key", *case) for case in KEYS),
    *(("dry_run", *case) for case in DRY_RUNS),
]
LONG: list[tuple[Any, str]] = [
    ("a" * 4001, "has 4001 characters; expected at most 4000 characters"),
    ("á" * 100_000, "has 100000 characters; expected at most 4000 characters"),
    ("a\x00b", "contains a NUL character; expected text without it"),
    (7, f"is 7; {TEXT}"),
    ([], f"is a list; {TEXT}"),
]
SCORES: list[tuple[Any, str]] = [
    (11, "is 11; expected at most 10"),
    (-1, "is -1; expected at least 0"),
    (3.5, f"is 3.5; {NUMBER}"),
    (10**40, "is a number of many digits; expected at most 10"),
    ("7", f"is '7'; {NUMBER}"),
    (True, f"is true; {NUMBER}"),
    ({}, f"is an object; {NUMBER}"),
    ([7], f"is a list; {NUMBER}"),
]


async def refused(office: Office, tool: str, arguments: Any) -> str:
    """Return the message of a refusal of arguments that changes nothing and is put on record without what it says."""
    async with office.watch() as rows:
        refusal = await office.refusal(tool, arguments)

    assert refusal["code"] == "invalid_arguments"
    assert rows.tables == {"audit_log"}
    entry = rows.one("audit_log")["entry"]
    assert entry["outcome"] == "invalid_arguments"
    assert len(json.dumps(entry)) < 600
    message: str = refusal["message"]
    assert len(message) < 600
    return message


@tools
async def test_what_does_not_fit_the_envelope_is_named(office: Office, tool: str) -> None:
    for name, value, sentence in ENVELOPE:
        message = await refused(office, tool, office.arguments(tool) | {name: value})
        assert message == f"Invalid arguments. {sentence}."


@tools
async def test_the_envelope_takes_its_extremes(office: Office, tool: str) -> None:
    arguments = office.arguments(tool, expected_version=1.0, dry_run=False, idempotency_key="😀" * 255)
    answer = await office.call(tool, arguments)

    assert (answer["changed"], answer["idempotency"]["key"]) == (True, "😀" * 255)
    kept = await office.rows("mcp_store.idempotency_keys", "key")
    assert [row["key"] for row in kept] == ["😀" * 255]


@tools
async def test_null_is_as_if_it_were_left_out(office: Office, tool: str) -> None:
    optional = set(CATALOG[tool].input_schema["properties"]) - set(CATALOG[tool].input_schema["required"])
    answer = await office.call(tool, office.arguments(tool) | dict.fromkeys(optional))

    assert (answer["changed"], answer["dry_run"]) == (True, False)
    assert answer["idempotency"] == {"key": None, "replayed": False}


@tools
async def test_free_text_has_a_bound_and_is_kept_as_it_is(office: Office, tool: str) -> None:
    name = "reason" if tool == "qualify_lead" else "notes"
    for value, sentence in LONG:
        message = await refused(office, tool, office.arguments(tool) | {name: value})
        assert message == f"Invalid arguments. {name}: {sentence}."

    for text in ("a" * 4000, "😀" * 4000, "  '; drop table contacts; --  \\ $1 {0} %s\n\té  "):
        contact = office.nino if text.startswith("😀") else office.rita
        stage = {"stage_id": str(office.stages["offer" if text.startswith("a") else "won"].id)}
        more = {name: text} | (stage if tool == "update_pipeline_stage" else {})
        async with office.watch() as rows:
            await office.call(tool, office.arguments(tool, contact) | more)
        table = {"reason": "qualifications"}.get(name) or (
            "assignments" if tool == "assign_to_agent" else "contact_pipeline_statuses"
        )
        (row,) = rows.added[table]
        assert row[name] == text.strip()
        assert text.strip() not in json.dumps(rows.added["audit_log"], ensure_ascii=False)


@pytest.mark.parametrize("part", ["budget", "authority", "need", "timeline"])
async def test_a_score_is_a_whole_number_from_0_to_10(office: Office, part: str) -> None:
    for value, sentence in SCORES:
        message = await refused(office, "qualify_lead", office.qualification(bant_scores={part: value}))
        assert message == f"Invalid arguments. bant_scores.{part}: {sentence}."
    for score in (0, 10, 7.0):
        answer = await office.call("qualify_lead", office.qualification(bant_scores={part: score}))
        assert answer["after"][part] == answer["after"]["score"] == score
    answer = await office.call("qualify_lead", office.qualification(status="unqualified", bant_scores={part: None}))
    assert answer["after"][part] is answer["after"]["score"] is None


async def test_scores_are_an_object_of_known_parts(office: Office) -> None:
    for scores, sentence in (
        ([], "bant_scores: is a list; expected an object"),
        (7, "bant_scores: is 7; expected an object"),
        ("budget", "bant_scores: is 'budget'; expected an object"),
        (
            {"money": 7},
            "bant_scores.money: is not an argument of this tool; allowed: budget, authority, need, timeline",
        ),
        (
            {"Budget": 7},
            "bant_scores.Budget: is not an argument of this tool (did you mean budget?);"
            " allowed: budget, authority, need, timeline",
        ),
    ):
        message = await refused(office, "qualify_lead", office.qualification(bant_scores=scores))
        assert message == f"Invalid arguments. {sentence}."
    answer = await office.call("qualify_lead", office.qualification(bant_scores={}))
    assert answer["after"]["score"] is None


async def test_every_field_at_fault_is_named_at_once(office: Office) -> None:
    arguments = {"status": "maybe", "bant_scores": {"need": 11, "luck": 1}, "dry_run": 0, "idempotency_key": " "}
    message = await refused(office, "qualify_lead", arguments)

    for named in ("contact_id: is required", "status: is 'maybe'; allowed: qualified, unqualified", "bant_scores.need"):
        assert named in message
    for named in ("bant_scores.luck", "dry_run: is 0", "idempotency_key: is blank"):
        assert named in message


@tools
@pytest.mark.parametrize("arguments", [[], "x", 7, True], ids=repr)
async def test_arguments_that_are_no_object_are_refused(office: Office, tool: str, arguments: Any) -> None:
    assert "expected an object" in await refused(office, tool, arguments)


@tools
async def test_an_id_is_a_uuid_and_nothing_like_one(office: Office, tool: str) -> None:
    ids = [name for name in office.arguments(tool) if name.endswith("_id")]
    id = str(office.rita.id)
    values: tuple[Any, ...] = ("", "rita", 7, id[:-1], f" {id}", f"{{{id}}}", [], {})
    for name in ids:
        for value in values:
            message = await refused(office, tool, office.arguments(tool) | {name: value})
            assert message.startswith(f"Invalid arguments. {name}: is ")
            assert "expected a UUID" in message


# --- ids of another tenant ----------------------------------------------------------------------

NAMED = [
    ("qualify_lead", "contact_id"),
    ("update_pipeline_stage", "contact_id"),
    ("update_pipeline_stage", "pipeline_id"),
    ("update_pipeline_stage", "stage_id"),
    ("assign_to_agent", "contact_id"),
    ("assign_to_agent", "agent_id"),
]


def test_every_id_is_tried() -> None:
    named = {(tool, name) for tool in TOOLS for name in CATALOG[tool].input_schema["properties"] if name[-3:] == "_id"}
    assert set(NAMED) == named


@pytest.mark.parametrize(("tool", "name"), NAMED)
@pytest.mark.parametrize("more", [{}, {"dry_run": True}, {"idempotency_key": "k", "expected_version": 1}], ids=repr)
async def test_an_id_of_another_tenant_is_like_one_that_nobody_has(
    office: Office, neighbour: Office, tool: str, name: str, more: dict[str, Any]
) -> None:
    """The refusal stands in the trail of whoever asked, and nowhere else."""
    said = []
    for id in (neighbour.arguments(tool)[name], str(uuid4())):
        async with office.watch() as rows, neighbour.watch() as theirs:
            refusal = await office.refusal(tool, office.arguments(tool) | more | {name: id})
        assert theirs.tables == set()
        assert rows.tables == {"audit_log"}
        row = rows.one("audit_log")
        assert (row["tenant_id"], row["entry"]["outcome"]) == (office.tenant, refusal["code"])
        assert neighbour.tenant not in json.dumps(row)
        said.append(json.dumps(refusal).replace(id, "…"))

    assert said[0] == said[1]
    assert ("stage_not_in_pipeline" if name == "stage_id" else "not_found") in said[0]


@tools
async def test_all_ids_of_another_tenant_together_are_not_found(office: Office, neighbour: Office, tool: str) -> None:
    async with neighbour.watch() as theirs:
        refusal = await office.refusal(tool, neighbour.arguments(tool))

    assert refusal["code"] == "not_found"
    assert theirs.tables == set()
