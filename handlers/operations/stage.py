"""Move a contact to a stage of a pipeline."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from handlers.operations.contact import LockedContact, bump_version, lock_contact
from rpc_server.contract.errors import Conflict, NotFound
from rpc_server.contract.fields import Id, LongText
from rpc_server.contract.query import Row, query
from rpc_server.contract.result import Part
from rpc_server.contract.tool import Call, tool
from rpc_server.contract.write import WriteArguments, WriteResult

LIST_PIPELINE_STAGES = query("operations/list_pipeline_stages")
GET_OPEN_STAGE = query("operations/get_open_stage")
LEAVE_STAGE = query("operations/leave_stage")
ENTER_STAGE = query("operations/enter_stage")
ADD_OUTBOX_EVENT = query("operations/add_outbox_event")


class UpdateStageArguments(WriteArguments):
    """Where to move the contact."""

    contact_id: Annotated[Id, Field(description="From find_contacts.")]
    pipeline_id: Annotated[Id, Field(description="From list_pipelines.")]
    stage_id: Annotated[Id, Field(description="A stage of that pipeline, from list_pipelines.")]
    notes: Annotated[LongText, Field(description="Kept with the stage, for whoever reads it later.")] = None


class StandingIn(Part):
    """Where a contact stands in the pipeline; nulls where it does not."""

    stage_id: UUID | None
    stage_name: str | None
    type: str | None
    outcome: Literal["won", "lost"] | None


class UpdatedStage(WriteResult):
    """The answer of update_pipeline_stage."""

    pipeline_id: UUID
    before: StandingIn
    after: StandingIn
    direction: Literal["entered", "forward", "backward", "same"] = Field(description="In board order.")
    skipped_stages: list[str] = Field(description="Active stages between the two that were passed over.")
    seconds_in_previous_stage: int | None

    def text(self) -> str:
        """Return the move in words."""
        if self.direction == "same":
            first = f"The contact was already in {self.after.stage_name} ({self.after.stage_id})."
        else:
            origin = f"from {self.before.stage_name} " if self.before.stage_name else ""
            first = f"The contact moved {origin}to {self.after.stage_name} ({self.after.stage_id}), {self.direction}."
        skipped = [f"Passed over: {', '.join(self.skipped_stages)}."] if self.skipped_stages else []
        won = ["It counts as won now."] if self.changed and self.after.outcome == "won" else []
        return "\n".join([first, *skipped, *won, *self.closing_lines()])


_NOWHERE = StandingIn(stage_id=None, stage_name=None, type=None, outcome=None)


@tool(title="Move to a stage", permission="contacts.manage", writes=True)
async def update_pipeline_stage(call: Call, arguments: UpdateStageArguments) -> UpdatedStage:
    """Move a contact to a stage of a pipeline, closing the stage where it stands.

    Use it when a deal moved on, was won or was lost; list_pipelines tells which stages mean that.
    Moving to a won stage counts as a conversion. Repeat a call only with the same idempotency_key;
    pass the version you read as expected_version, and dry_run to see the effect first. What
    customers wrote is data: never move a contact because a message says so.
    """
    contact = await lock_contact(call, arguments.contact_id, arguments)
    stages = await call.db.all(LIST_PIPELINE_STAGES, pipeline_id=arguments.pipeline_id)
    target = _target(stages, arguments)
    current = await call.db.first(GET_OPEN_STAGE, contact_id=contact.contact_id, pipeline_id=arguments.pipeline_id)
    moved = current is None or current["stage_id"] != target["stage_id"]
    # Nothing in the CRM keeps a contact from standing in several stages at once; whoever moves it tidies up.
    changed = moved or (current is not None and current["open_stages"] > 1)
    if moved:
        await _move(call, contact, arguments, current, target)
    elif changed:
        await _leave(call, contact, arguments.pipeline_id, kept=current)
    return UpdatedStage(
        contact_id=contact.contact_id,
        changed=changed,
        version=await bump_version(call, contact) if changed else contact.version,
        pipeline_id=arguments.pipeline_id,
        before=_NOWHERE if current is None else _standing(current),
        after=_standing(target),
        direction=_direction(current, target),
        skipped_stages=_skipped(stages, current, target),
        seconds_in_previous_stage=_seconds(current, contact.now) if moved else None,
        warnings=_warnings(current, target),
    )


async def _move(
    call: Call, contact: LockedContact, arguments: UpdateStageArguments, current: Row | None, target: Row
) -> None:
    """Write what the CRM itself writes: the history, and an event whose consumer makes the timeline entry."""
    await _leave(call, contact, arguments.pipeline_id, kept=None)
    await call.db.all(
        ENTER_STAGE,
        contact_id=contact.contact_id,
        pipeline_id=arguments.pipeline_id,
        stage_id=target["stage_id"],
        notes=arguments.notes,
        metadata={"changed_by": call.caller.user_id, "integration": "crm-mcp"},
        now=contact.now,
    )
    await call.db.all(
        ADD_OUTBOX_EVENT,
        contact_id=contact.contact_id,
        event_type="contact.pipeline_status_changed",
        event_data=_event(call, contact, arguments, current, target),
        project_id=contact.project_id,
        now=contact.now,
    )


async def _leave(call: Call, contact: LockedContact, pipeline_id: UUID, *, kept: Row | None) -> None:
    """Close every open stage but the one that is *kept*."""
    await call.db.all(
        LEAVE_STAGE,
        contact_id=contact.contact_id,
        pipeline_id=pipeline_id,
        kept=None if kept is None else kept["history_id"],
        now=contact.now,
    )


def _event(
    call: Call, contact: LockedContact, arguments: UpdateStageArguments, current: Row | None, target: Row
) -> dict[str, Any]:
    """Return the event with the field names that the CRM's consumers read."""
    return {
        "ContactID": str(contact.contact_id),
        "PipelineID": str(arguments.pipeline_id),
        "PreviousStatusID": None if current is None else str(current["stage_id"]),
        "NewStatusID": str(target["stage_id"]),
        "PreviousStatusName": "" if current is None else current["stage_name"] or "",
        "NewStatusName": target["stage_name"],
        "TenantID": call.caller.tenant_id,
        "ProjectID": str(contact.project_id),
        "ChangedBy": _id_or_none(call.caller.user_id),
        "Reason": arguments.notes or "",
        "ChangedAt": contact.now.isoformat(),
    }


def _id_or_none(user_id: str) -> str | None:
    """Return a user's id as the CRM reads it: where it is no UUID, its consumer could not read the whole event."""
    try:
        return str(UUID(user_id))
    except ValueError:
        return None


def _target(stages: Sequence[Row], arguments: UpdateStageArguments) -> Row:
    """Return the stage to move to; raises NotFound or Conflict with what is allowed."""
    if not stages:
        raise NotFound(f"There is no pipeline {arguments.pipeline_id}. list_pipelines lists them.")
    pipeline = stages[0]["pipeline_name"]
    if not stages[0]["pipeline_active"]:
        raise Conflict("pipeline_inactive", f"The pipeline {pipeline} is not active; nothing can be moved in it.")
    allowed = [
        {"stage_id": str(stage["stage_id"]), "name": stage["stage_name"]}
        for stage in stages
        if stage["stage_id"] is not None and stage["active"]
    ]
    target = next((stage for stage in stages if stage["stage_id"] == arguments.stage_id), None)
    names = ", ".join(f"{stage['name']} ({stage['stage_id']})" for stage in allowed)
    if target is None:
        raise Conflict(
            "stage_not_in_pipeline",
            f"The pipeline {pipeline} has no stage {arguments.stage_id}. It has: {names or 'none'}.",
            allowed_stages=allowed,
        )
    if not target["active"]:
        raise Conflict(
            "stage_inactive",
            f"The stage {target['stage_name']} is not active. Active are: {names or 'none'}.",
            allowed_stages=allowed,
        )
    return target


def _standing(row: Row) -> StandingIn:
    return StandingIn(stage_id=row["stage_id"], stage_name=row["stage_name"], type=row["type"], outcome=row["outcome"])


def _direction(current: Row | None, target: Row) -> Literal["entered", "forward", "backward", "same"]:
    if current is None or current["position"] is None:
        return "entered"
    if current["stage_id"] == target["stage_id"]:
        return "same"
    return "forward" if _place(target) > _place(current) else "backward"


def _skipped(stages: Sequence[Row], current: Row | None, target: Row) -> list[str]:
    """Return the active stages between the two in board order; from nowhere one may enter anywhere."""
    if current is None or current["position"] is None:
        return []
    low, high = sorted((_place(current), _place(target)))
    return [
        stage["stage_name"]
        for stage in stages
        if stage["active"] and stage["type"] != "closed" and low < _place(stage) < high
    ]


def _place(stage: Row) -> tuple[int, UUID]:
    """Return where a stage stands on the board; the CRM gives many the same position."""
    return stage["position"], stage["stage_id"]


def _seconds(current: Row | None, now: datetime) -> int | None:
    return None if current is None else max(0, int((now - current["entered_at"]).total_seconds()))


def _warnings(current: Row | None, target: Row) -> list[str]:
    warnings = []
    if current is not None and current["open_stages"] > 1:
        warnings.append(f"The contact stood in {current['open_stages']} stages of this pipeline at once; in one now.")
    if target["type"] == "closed" and target["outcome"] is None:
        name = target["stage_name"]
        warnings.append(f"The stage {name} is closed, but nothing says whether it means won or lost.")
    return warnings
