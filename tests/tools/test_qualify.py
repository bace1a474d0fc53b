"""qualify_lead: the decision, its score, its history, and every row that it leaves."""

import hashlib
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from handlers.tenants import TenantSettings
from tests.tools.office import Office

UNDECIDED = {
    "status": "undecided",
    **dict.fromkeys(("reason", "budget", "authority", "need", "timeline", "score", "weights_version")),
}
# The version of a set of weights is a hash of them; all equal, for example.
EQUAL = hashlib.sha256(
    json.dumps(dict.fromkeys(("authority", "budget", "need", "timeline"), 1.0)).encode()
).hexdigest()[:12]


async def qualify(office: Office, **more: Any) -> dict[str, Any]:
    return await office.call("qualify_lead", office.qualification(**more), user="ana@acme")


async def test_a_decision_leaves_these_rows_and_no_others(office: Office) -> None:
    begun = datetime.now(UTC)
    async with office.watch() as rows:
        answer = await qualify(office, reason=" quer já ", bant_scores={"budget": 8, "need": 5, "timeline": 4})

    rita = str(office.rita.id)
    at = rows.one("qualifications")["decided_at"]
    assert begun <= datetime.fromisoformat(at) <= datetime.now(UTC)
    whose = {"tenant_id": office.tenant, "contact_id": rita}
    scores = {"budget": 8, "need": 5, "timeline": 4, "score": 5.67, "weights_version": EQUAL}
    text = {**whose, "field_type": "text", "created_at": at, "updated_at": at}
    assert rows.added == {
        "qualifications": [
            {**whose, "status": "qualified", "reason": "quer já", **scores, "decided_by": "ana@acme", "decided_at": at}
        ],
        "contact_custom_fields": [
            {**text, "field_key": "lead_qualified", "field_value": "true"},
            {**text, "field_key": "lead_score", "field_value": "5.67"},
        ],
        "contact_events": [
            {
                **whose,
                "event_type": "custom_field_set",
                "category": "custom_field",
                "priority": "normal",
                "source": "integration",
                "integration_source": "crm-mcp",
                "title": "Lead qualified",
                "description": "quer já",
                "payload": {
                    "lead_qualified": "true",
                    "lead_score": "5.67",
                    "user": "ana@acme",
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
    assert rows.changed == {"contacts": {rita: {"version": 2, "updated_at": at}}}
    assert rows.removed == {}
    assert answer == {
        "contact_id": rita,
        "changed": True,
        "before": UNDECIDED,
        "after": {**UNDECIDED, "status": "qualified", "reason": "quer já", **scores},
        "completeness": 0.75,
        "suggested_status": "qualified",
        "version": 2,
        "warnings": [],
        "dry_run": False,
        "audit_id": answer["audit_id"],
        "idempotency": {"key": None, "replayed": False},
    }


async def test_a_history_tells_who_decided_when_and_from_what_to_what(office: Office) -> None:
    first = await office.call("qualify_lead", office.qualification(reason="sim"), user="ana")
    second = await office.call("qualify_lead", office.qualification(status="unqualified", reason="não"), user="bia")
    third = await office.call("qualify_lead", office.qualification(reason="sim!"), user="ana")

    history = await office.rows("mcp_store.qualifications", "decided_at")
    assert [(row["decided_by"], row["reason"]) for row in history] == [("ana", "sim"), ("bia", "não"), ("ana", "sim!")]
    assert [row["superseded_at"] for row in history] == [*(row["decided_at"] for row in history[1:]), None]
    assert first["after"] == second["before"]
    assert second["after"] == third["before"]
    assert [answer["version"] for answer in (first, second, third)] == [2, 3, 4]


@pytest.mark.parametrize(
    ("weights", "scores", "score", "completeness", "suggested"),
    [
        (None, {"budget": 10, "authority": 10, "need": 10, "timeline": 10}, 10, 1, "qualified"),
        (None, {"budget": 0, "authority": 0, "need": 0, "timeline": 0}, 0, 1, "unqualified"),
        (None, {"budget": 8, "need": 4}, 6, 0.5, "qualified"),
        (None, {"budget": 0, "need": 10}, 5, 0.5, "qualified"),
        (None, {"budget": 10, "need": 9, "timeline": 1}, 6.67, 0.75, "qualified"),
        (None, {"budget": 10}, 10, 0.25, None),
        (None, {"budget": 0}, 0, 0.25, None),
        ({"budget": 3}, {"budget": 8, "need": 4}, 7, 0.6667, "qualified"),
        ({"budget": 3}, {"budget": 2}, 2, 0.5, "unqualified"),
        ({"budget": 1, "authority": 0, "need": 0, "timeline": 0}, {"budget": 4}, 4, 1, "unqualified"),
        ({"budget": 0}, {"budget": 9, "need": 4, "authority": 4}, 4, 0.6667, "unqualified"),
        ({"budget": 0}, {"budget": 9}, None, 0, None),
        ({"budget": 0, "authority": 0, "need": 0, "timeline": 0}, {"budget": 9}, None, 0, None),
        ({"budget": 0.1, "authority": 0.2}, {"budget": 10, "authority": 1}, 4, 0.1304, None),
    ],
)
async def test_a_score_is_the_mean_of_the_known_parts_by_the_tenants_weights(
    office: Office,
    weights: dict[str, float] | None,
    scores: dict[str, int],
    score: float | None,
    completeness: float,
    suggested: str | None,
) -> None:
    if weights is not None:
        await office.setting("bant_weights", weights)
    answer = await qualify(office, status=suggested or "qualified", bant_scores=scores)

    assert answer["after"]["score"] == score
    assert answer["completeness"] == completeness
    assert answer["suggested_status"] == suggested
    assert answer["warnings"] == []
    assert {part: answer["after"][part] for part in scores} == scores
    (kept,) = await office.rows("mcp_store.qualifications")
    assert kept["score"] == (None if score is None else Decimal(str(score)))


async def test_without_any_part_there_is_no_score_and_no_version_of_weights(office: Office) -> None:
    answer = await qualify(office, bant_scores={"budget": None})

    assert answer["after"] == {**UNDECIDED, "status": "qualified"}
    assert (answer["completeness"], answer["suggested_status"]) == (0, None)
    fields = await office.rows("contact_custom_fields")
    assert [field["field_key"] for field in fields] == ["lead_qualified"]


async def test_the_same_weights_have_the_same_version_and_others_have_another(office: Office) -> None:
    found = []
    for number, weights in enumerate(
        ({"need": 2, "budget": 1}, {"budget": 1.0, "need": 2.0}, {"need": 2, "timeline": 1}, {"need": 3}, {})
    ):
        await office.setting("bant_weights", weights)
        answer = await qualify(office, bant_scores={"need": number})
        found.append(answer["after"]["weights_version"])

    assert len(set(found[:3])) == 1
    assert len(set(found)) == 3
    assert found[4] == EQUAL


@pytest.mark.parametrize(
    ("threshold", "chosen", "warnings"),
    [
        (5, "qualified", []),
        (6, "qualified", []),
        (6.01, "qualified", ["The score 6 of 10 suggests unqualified, but qualified was chosen."]),
        (6.01, "unqualified", []),
        (6, "unqualified", ["The score 6 of 10 suggests qualified, but unqualified was chosen."]),
    ],
)
async def test_whoever_decides_against_the_tenants_threshold_is_told_so(
    office: Office, threshold: float, chosen: str, warnings: list[str]
) -> None:
    await office.setting("bant_threshold", threshold)
    answer = await qualify(office, status=chosen, bant_scores={"budget": 8, "need": 4})

    assert answer["after"]["status"] == chosen
    assert answer["suggested_status"] == ("qualified" if threshold <= 6 else "unqualified")
    assert answer["warnings"] == warnings


@pytest.mark.parametrize("weights", [{"budget": -1}, {"budget": 1e9}, {"luck": 1}, {"budget": "much"}, [1, 2, 3, 4]])
async def test_weights_that_are_none_count_as_unset(office: Office, weights: Any) -> None:
    with pytest.raises(ValidationError):
        TenantSettings.model_validate({"bant_weights": weights})
    await office.setting("bant_weights", weights)
    answer = await qualify(office, bant_scores={"budget": 8, "need": 4})

    assert (answer["after"]["score"], answer["after"]["weights_version"]) == (6, EQUAL)


STANDING = {"reason": "quer já", "bant_scores": {"budget": 8, "need": 5}}


@pytest.mark.parametrize(
    "again",
    [
        STANDING,
        {},
        {"reason": "quer já"},
        {"reason": "  "},
        {"reason": None, "bant_scores": None},
        {"bant_scores": {}},
        {"bant_scores": {"need": 5}},
        {"bant_scores": {"need": 5.0, "budget": 8, "timeline": None}},
    ],
)
async def test_to_say_again_what_stands_changes_nothing(office: Office, again: dict[str, Any]) -> None:
    first = await qualify(office, **STANDING)
    async with office.watch() as rows:
        second = await qualify(office, **again)

    assert rows.tables == {"audit_log"}
    assert second == {**first, "changed": False, "before": first["after"], "audit_id": second["audit_id"]}


@pytest.mark.parametrize(
    ("news", "after"),
    [
        ({"reason": "mudou"}, {"reason": "mudou"}),
        ({"bant_scores": {"need": 6}}, {"need": 6, "score": 6, "weights_version": EQUAL}),
        ({"bant_scores": {"timeline": 5}}, {"timeline": 5, "score": 5, "weights_version": EQUAL}),
        ({"status": "unqualified"}, {"status": "unqualified"}),
    ],
)
async def test_a_decision_stands_for_itself_and_what_it_leaves_out_is_unknown(
    office: Office, news: dict[str, Any], after: dict[str, Any]
) -> None:
    await qualify(office, **STANDING)
    answer = await qualify(office, **news)

    assert answer["changed"]
    assert answer["after"] == {**UNDECIDED, "status": "qualified", **after}


async def test_the_same_scores_by_other_weights_are_another_decision(office: Office) -> None:
    await qualify(office, **STANDING)
    await office.setting("bant_weights", {"budget": 2})
    answer = await qualify(office, **STANDING)

    assert answer["changed"]
    assert (answer["before"]["score"], answer["after"]["score"]) == (6.5, 7)


async def test_a_score_does_not_outlive_its_decision_in_the_crm(office: Office) -> None:
    async def fields() -> dict[str, str]:
        rows = await office.rows("contact_custom_fields")
        return {row["field_key"]: json.loads(row["field_value"]) for row in rows if row["deleted_at"] is None}

    await qualify(office, bant_scores={"budget": 8})
    assert await fields() == {"lead_qualified": "true", "lead_score": "8"}
    await qualify(office, status="unqualified")
    assert await fields() == {"lead_qualified": "false"}
    await qualify(office, bant_scores={"budget": 7})
    assert await fields() == {"lead_qualified": "true", "lead_score": "7"}


async def test_a_score_that_the_crm_found_by_itself_stays(office: Office) -> None:
    await office.owner.execute(
        "insert into contact_custom_fields (contact_id, tenant_id, field_key, field_type, field_value)"
        " values ($1, $2, 'lead_score', 'number', '9')",
        office.rita.id,
        office.tenant,
    )
    async with office.watch() as rows:
        await qualify(office, reason="sim")

    assert [field["field_key"] for field in rows.added["contact_custom_fields"]] == ["lead_qualified"]
    assert "contact_custom_fields" not in rows.changed


async def test_whoever_decided_reads_it_at_once(office: Office) -> None:
    before = await office.call("get_leads_count", {"period": "all"})
    await qualify(office, **STANDING)

    contact = await office.call("get_contact", {"contact_id": str(office.rita.id)})
    assert (contact["status"], contact["version"]) == ("qualified", 2)
    kept = contact["qualification"]
    assert tuple(kept[name] for name in ("reason", "budget", "need", "score", "decided_by")) == (
        "quer já",
        8,
        5,
        6.5,
        "ana@acme",
    )
    after = await office.call("get_leads_count", {"period": "all"})
    assert (before["qualified_leads"], after["qualified_leads"]) == (0, 1)
    found = await office.call("find_contacts", {"status": "qualified"})
    assert [str(office.rita.id)] == [contact["contact_id"] for contact in found["contacts"]]


async def test_a_deleted_contact_cannot_be_qualified(office: Office) -> None:
    await office.owner.execute("update contacts set deleted_at = now() where id = $1", office.rita.id)
    async with office.watch() as rows:
        refusal = await office.refusal("qualify_lead", office.qualification())

    assert refusal["code"] == "not_found"
    assert rows.tables == {"audit_log"}
