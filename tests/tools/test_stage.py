"""update_pipeline_stage: the move, the history with its durations, and every row that it leaves."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.tools.office import HOUR, Office
from tests.tools.world import Stage

NOWHERE = dict.fromkeys(("stage_id", "stage_name", "type", "outcome"))


async def move(office: Office, stage: str = "won", **more: Any) -> dict[str, Any]:
    return await office.call("update_pipeline_stage", office.move(stage, **more), user="ana@acme")


async def enter(office: Office, stage: Stage, entered_at: datetime, **columns: Any) -> str:
    """Let Rita stand in a stage as the CRM would, and return the row's id."""
    given = {"entered_at": entered_at, "exited_at": None, "deleted_at": None, **columns}
    return str(
        await office.owner.fetchval(
            "insert into contact_pipeline_statuses"
            " (contact_id, pipeline_id, status_id, tenant_id, entered_at, exited_at, deleted_at)"
            " values ($1, $2, $3, $4, $5, $6, $7) returning id",
            *(office.rita.id, stage.pipeline_id, stage.id, office.tenant),
            *given.values(),
        )
    )


async def open_stages(office: Office) -> list[str]:
    """Return the names of the stages in which Rita stands."""
    rows = await office.owner.fetch(
        "select s.name from contact_pipeline_statuses h join pipeline_statuses s on s.id = h.status_id"
        " where h.contact_id = $1 and h.exited_at is null and h.deleted_at is null order by h.entered_at",
        office.rita.id,
    )
    return [row["name"] for row in rows]


async def test_a_move_leaves_these_rows_and_no_others(office: Office) -> None:
    begun = datetime.now(UTC)
    async with office.watch() as rows:
        answer = await move(office, "offer", notes=" ligou ")

    rita, sales = str(office.rita.id), str(office.sales.id)
    new, offer = office.stages["new"], office.stages["offer"]
    entered = rows.one("outbox_events")["created_at"]
    at = datetime.fromisoformat(entered)
    assert begun <= at <= datetime.now(UTC)
    seconds = (at - office.opened) // timedelta(seconds=1)
    assert rows.added == {
        "contact_pipeline_statuses": [
            {
                "contact_id": rita,
                "pipeline_id": sales,
                "status_id": str(offer.id),
                "tenant_id": office.tenant,
                "entered_at": entered,
                "notes": "ligou",
                "metadata": {"changed_by": "ana@acme", "integration": "crm-mcp"},
                "created_at": entered,
                "updated_at": entered,
            }
        ],
        "outbox_events": [
            {
                "aggregate_id": rita,
                "aggregate_type": "Contact",
                "event_type": "contact.pipeline_status_changed",
                "event_version": "v1",
                "event_data": {
                    "ContactID": rita,
                    "PipelineID": sales,
                    "PreviousStatusID": str(new.id),
                    "NewStatusID": str(offer.id),
                    "PreviousStatusName": "new",
                    "NewStatusName": "offer",
                    "TenantID": office.tenant,
                    "ProjectID": str(office.world.project.id),
                    "ChangedBy": None,
                    "Reason": "ligou",
                    "ChangedAt": at.isoformat(),
                },
                "tenant_id": office.tenant,
                "project_id": str(office.world.project.id),
                "created_at": entered,
                "status": "pending",
                "retry_count": 0,
            }
        ],
        "audit_log": rows.added["audit_log"],
    }
    left = {"exited_at": entered, "duration": seconds, "updated_at": entered}
    assert rows.changed == {
        "contact_pipeline_statuses": {str(office.standing.id): left},
        "contacts": {rita: {"version": 2, "updated_at": entered}},
    }
    assert rows.removed == {}
    assert answer == {
        "contact_id": rita,
        "pipeline_id": sales,
        "changed": True,
        "before": {"stage_id": str(new.id), "stage_name": "new", "type": "open", "outcome": None},
        "after": {"stage_id": str(offer.id), "stage_name": "offer", "type": "active", "outcome": None},
        "direction": "forward",
        "skipped_stages": ["talking"],
        "seconds_in_previous_stage": seconds,
        "version": 2,
        "warnings": [],
        "dry_run": False,
        "audit_id": answer["audit_id"],
        "idempotency": {"key": None, "replayed": False},
    }


async def test_whoever_stood_nowhere_enters_anywhere(office: Office) -> None:
    async with office.watch() as rows:
        answer = await move(office, "offer", contact=office.nino)

    assert (answer["before"], answer["direction"], answer["skipped_stages"]) == (NOWHERE, "entered", [])
    assert answer["seconds_in_previous_stage"] is None
    event = rows.one("outbox_events")["event_data"]
    assert (event["PreviousStatusID"], event["PreviousStatusName"]) == (None, "")
    assert "contact_pipeline_statuses" not in rows.changed


@pytest.mark.parametrize(
    ("origin", "target", "direction", "skipped"),
    [
        ("new", "talking", "forward", []),
        ("new", "won", "forward", ["talking", "offer"]),
        ("new", "lost", "forward", ["talking", "offer"]),
        ("won", "lost", "forward", []),
        ("lost", "won", "backward", []),
        ("offer", "new", "backward", ["talking"]),
        ("lost", "new", "backward", ["offer", "talking"]),
        ("idle", "talking", "backward", ["offer"]),
        ("talking", "talking", "same", []),
    ],
)
async def test_a_move_has_a_direction_and_names_what_it_passes_over(
    office: Office, origin: str, target: str, direction: str, skipped: list[str]
) -> None:
    await office.owner.execute(
        "update contact_pipeline_statuses set status_id = $1 where id = $2",
        office.stages[origin].id,
        office.standing.id,
    )
    answer = await move(office, target)

    assert answer["direction"] == direction
    assert sorted(answer["skipped_stages"]) == sorted(skipped)
    assert answer["changed"] is (direction != "same")
    assert answer["before"]["stage_name"] == origin


async def test_stages_of_the_same_position_stand_in_the_order_of_the_board(office: Office) -> None:
    await office.owner.execute("update pipeline_statuses set position = null")
    pipelines = (await office.call("list_pipelines", {}))["pipelines"]
    (board,) = (pipeline["stages"] for pipeline in pipelines if pipeline["name"] == "Vendas")
    first, second, third = (stage["name"] for stage in board if stage["active"] and stage["type"] != "closed")
    await move(office, first)

    forward = await move(office, third)
    back = await move(office, first)
    assert ("forward", [second]) == (forward["direction"], forward["skipped_stages"])
    assert ("backward", [second]) == (back["direction"], back["skipped_stages"])


async def test_to_move_where_one_stands_changes_nothing(office: Office) -> None:
    async with office.watch() as rows:
        answer = await move(office, "new", notes="de novo")

    assert rows.tables == {"audit_log"}
    assert (answer["changed"], answer["version"], answer["direction"]) == (False, 1, "same")
    assert answer["before"] == answer["after"]
    assert (answer["seconds_in_previous_stage"], answer["warnings"]) == (None, [])


async def test_pipelines_do_not_know_of_each_other(office: Office) -> None:
    first = office.care_stages["first"]
    arguments = {**office.move(), "pipeline_id": str(office.care.id), "stage_id": str(first.id)}
    async with office.watch() as rows:
        answer = await office.call("update_pipeline_stage", arguments)

    assert answer["direction"] == "entered"
    assert "contact_pipeline_statuses" not in rows.changed
    assert await open_stages(office) == ["new", "first"]


async def test_whoever_comes_back_begins_anew_and_the_first_stay_is_kept(office: Office) -> None:
    await move(office, "talking")
    async with office.watch() as rows:
        await move(office, "new")

    assert len(rows.changed["contact_pipeline_statuses"]) == 1
    assert str(office.standing.id) not in rows.changed["contact_pipeline_statuses"]
    stays = await office.rows("contact_pipeline_statuses", "entered_at")
    assert [stay["status_id"] for stay in stays] == [office.stages[name].id for name in ("new", "talking", "new")]
    assert [stay["exited_at"] for stay in stays] == [*(stay["entered_at"] for stay in stays[1:]), None]


async def test_whoever_stood_in_several_stages_stands_in_one_after_a_move(office: Office) -> None:
    twin = await enter(office, office.stages["new"], office.opened + HOUR)
    latest = await enter(office, office.stages["talking"], office.opened + 2 * HOUR)
    async with office.watch() as rows:
        answer = await move(office, "offer")

    assert answer["before"]["stage_name"] == "talking"
    assert answer["warnings"] == ["The contact stood in 3 stages of this pipeline at once; in one now."]
    closed = rows.changed["contact_pipeline_statuses"]
    assert set(closed) == {str(office.standing.id), twin, latest}
    assert [closed[id]["duration"] // 3600 for id in (str(office.standing.id), twin, latest)] == [5, 4, 3]
    assert answer["seconds_in_previous_stage"] == closed[latest]["duration"]
    assert await open_stages(office) == ["offer"]


async def test_whoever_stands_there_and_elsewhere_leaves_only_the_others(office: Office) -> None:
    kept = await enter(office, office.stages["talking"], office.opened + HOUR)
    async with office.watch() as rows:
        answer = await move(office, "talking")

    assert (answer["changed"], answer["version"], answer["direction"]) == (True, 2, "same")
    assert answer["before"] == answer["after"]
    assert answer["seconds_in_previous_stage"] is None
    assert answer["warnings"] == ["The contact stood in 2 stages of this pipeline at once; in one now."]
    # Nothing moved, so nobody is told.
    assert rows.tables == {"contact_pipeline_statuses", "contacts", "audit_log"}
    assert set(rows.changed["contact_pipeline_statuses"]) == {str(office.standing.id)}
    assert kept not in rows.changed["contact_pipeline_statuses"]
    assert await open_stages(office) == ["talking"]
    assert not (await move(office, "talking"))["changed"]


async def test_a_deleted_stay_counts_for_nothing(office: Office) -> None:
    deleted = await enter(office, office.stages["talking"], office.opened + HOUR, deleted_at=office.opened + HOUR)
    async with office.watch() as rows:
        answer = await move(office, "offer")

    assert (answer["before"]["stage_name"], answer["warnings"]) == ("new", [])
    assert deleted not in rows.changed["contact_pipeline_statuses"]


async def test_a_stay_that_is_still_to_come_lasts_no_time(office: Office) -> None:
    await office.owner.execute(
        "update contact_pipeline_statuses set entered_at = now() + interval '1 day' where id = $1", office.standing.id
    )
    async with office.watch() as rows:
        answer = await move(office, "offer")

    assert answer["seconds_in_previous_stage"] == 0
    stay = await office.owner.fetchrow("select * from contact_pipeline_statuses where id = $1", office.standing.id)
    assert stay is not None and (0, stay["entered_at"]) == (stay["duration"], stay["exited_at"])
    assert rows.changed["contact_pipeline_statuses"][str(office.standing.id)]["duration"] == 0


# --- what is refused ----------------------------------------------------------------------------

OFFERED = ["new", "talking", "offer", "won", "lost"]


@pytest.mark.parametrize(
    ("change", "code", "offered"),
    [
        ("update pipeline_statuses set deleted_at = now() where name = 'offer'", "stage_not_in_pipeline", True),
        ("update pipeline_statuses set active = false where name = 'offer'", "stage_inactive", True),
        ("update pipelines set active = false where name = 'Vendas'", "pipeline_inactive", False),
        ("update pipelines set deleted_at = now() where name = 'Vendas'", "not_found", False),
        ("update contacts set deleted_at = now()", "not_found", False),
    ],
)
async def test_what_is_no_place_to_stand_is_refused(office: Office, change: str, code: str, offered: bool) -> None:
    await office.owner.execute(change)
    async with office.watch() as rows:
        refusal = await office.refusal("update_pipeline_stage", office.move("offer"))

    assert refusal["code"] == code
    names = [name for name in OFFERED if name != "offer"] if offered else []
    assert refusal.get("allowed_stages", []) == [
        {"stage_id": str(office.stages[name].id), "name": name} for name in names
    ]
    assert all(f"{name} ({office.stages[name].id})" in refusal["message"] for name in names)
    assert rows.tables == {"audit_log"}
    assert rows.one("audit_log")["entry"]["outcome"] == code


async def test_a_stage_of_another_pipeline_is_refused_with_those_of_this_one(office: Office) -> None:
    arguments = {**office.move(), "stage_id": str(office.care_stages["first"].id)}
    async with office.watch() as rows:
        refusal = await office.refusal("update_pipeline_stage", arguments)

    assert refusal["code"] == "stage_not_in_pipeline"
    assert [stage["name"] for stage in refusal["allowed_stages"]] == OFFERED
    assert rows.tables == {"audit_log"}


async def test_a_pipeline_without_stages_has_none_to_offer(office: Office) -> None:
    await office.owner.execute("update pipeline_statuses set deleted_at = now()")
    refusal = await office.refusal("update_pipeline_stage", office.move())

    assert (refusal["code"], refusal["allowed_stages"]) == ("stage_not_in_pipeline", [])
    assert refusal["message"].endswith("It has: none.")


async def test_whoever_stands_in_a_stage_that_is_gone_can_leave_it(office: Office) -> None:
    await office.owner.execute("update pipeline_statuses set deleted_at = now(), active = false where name = 'new'")
    answer = await move(office, "talking")

    assert (answer["before"]["stage_name"], answer["direction"]) == ("new", "forward")


async def test_a_closed_stage_of_no_known_outcome_is_warned_of(office: Office) -> None:
    await office.setting("won_stage_names", ["talking"])
    await office.owner.execute("update pipeline_statuses set name = 'Arquivo' where name = 'won'")
    answer = await move(office, "won")

    assert answer["warnings"] == ["The stage Arquivo is closed, but nothing says whether it means won or lost."]
    assert (await move(office, "talking"))["after"]["outcome"] == "won"


# --- what counts --------------------------------------------------------------------------------


async def test_a_won_contact_is_a_conversion_and_no_longer_an_opportunity(office: Office) -> None:
    async def figures() -> tuple[int, int, int]:
        leads = await office.call("get_leads_count", {"period": "all"})
        stats = await office.call("get_agent_conversion_stats", {}, now=datetime.now(UTC))
        (ana,) = (agent for agent in stats["stats"] if agent["agent_id"] == str(office.ana.id))
        return leads["opportunities"], ana["conversions"], stats["team"]["conversions"]

    await move(office, "talking")
    assert await figures() == (1, 0, 0)
    tried = await office.call("update_pipeline_stage", office.move("won", dry_run=True))
    assert (tried["after"]["outcome"], await figures()) == ("won", (1, 0, 0))
    await move(office, "won")
    assert await figures() == (0, 1, 1)
    await move(office, "lost")
    assert await figures() == (0, 1, 1)


async def test_whoever_moved_a_contact_reads_it_at_once(office: Office) -> None:
    await move(office, "won")
    contact = await office.call("get_contact", {"contact_id": str(office.rita.id)})

    assert [stage["stage_name"] for stage in contact["stages"]] == ["won"]
    found = await office.call("find_contacts", {"stage_id": str(office.stages["won"].id)})
    assert [str(office.rita.id)] == [found["contact_id"] for found in found["contacts"]]
    assert contact["version"] == 2
