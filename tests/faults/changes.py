"""What is changed: made up from a seed, and each marked with its key wherever it leaves a trace."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any
from uuid import UUID

import asyncpg

TENANT = "acme"
TOOLS = ("qualify_lead", "update_pipeline_stage", "assign_to_agent")

_CONTACTS = "select id from contacts where tenant_id = $1 and deleted_at is null order by id limit $2"
_AGENTS = """
    select id from agents where tenant_id = $1 and type = 'human' and active and deleted_at is null order by id
"""
_STAGES = """
    select s.pipeline_id, s.id
      from pipelines p
      join pipeline_statuses s on s.pipeline_id = p.id
     where p.tenant_id = $1 and p.active and s.active and p.deleted_at is null and s.deleted_at is null
     order by s.id
"""
_STANDING = """
    select contact_id, pipeline_id, status_id
      from contact_pipeline_statuses
     where tenant_id = $1 and exited_at is null and deleted_at is null
"""


@dataclass(frozen=True, slots=True)
class Change:
    """One call of a tool, however often it is sent."""

    key: str
    tool: str
    arguments: dict[str, Any]

    @property
    def user(self) -> str:
        """Who makes it; each has one to itself, because users are limited in how often they may call."""
        return f"user-{self.key}"


class Plan:
    """Makes up changes of a few contacts, so that they meet."""

    def __init__(self, seed: int, tools: Sequence[str] = TOOLS) -> None:
        self._rng = Random(seed)
        self._tools = tools
        self._made = 0

    async def load(self, owner: "asyncpg.Connection[asyncpg.Record]", contacts: int) -> "Plan":
        """Learn what there is to change; as many *contacts* take part."""
        self._contacts: list[UUID] = [row[0] for row in await owner.fetch(_CONTACTS, TENANT, contacts)]
        self._agents: list[UUID] = [row[0] for row in await owner.fetch(_AGENTS, TENANT)]
        self._stages: list[tuple[UUID, UUID]] = [(row[0], row[1]) for row in await owner.fetch(_STAGES, TENANT)]
        # By contact and pipeline.
        self._stands: dict[tuple[UUID, UUID], UUID] = {
            (row[0], row[1]): row[2] for row in await owner.fetch(_STANDING, TENANT)
        }
        return self

    def change(self) -> Change:
        """Return another change; made in this order, each changes something."""
        self._made += 1
        key = f"change-{self._made}"
        tool = self._tools[self._made % len(self._tools)]
        contact = self._rng.choice(self._contacts)
        details = {"contact_id": str(contact), "idempotency_key": key, **self._details(tool, contact, key)}
        return Change(key, tool, details)

    def _details(self, tool: str, contact: UUID, key: str) -> dict[str, Any]:
        if tool == "qualify_lead":
            scores = {"budget": self._rng.randint(0, 10), "need": self._rng.randint(0, 10)}
            return {"status": self._rng.choice(["qualified", "unqualified"]), "reason": key, "bant_scores": scores}
        if tool == "assign_to_agent":
            return {"agent_id": str(self._rng.choice(self._agents)), "notes": key}
        elsewhere = [place for place in self._stages if self._stands.get((contact, place[0])) != place[1]]
        pipeline, stage = self._rng.choice(elsewhere)
        self._stands[contact, pipeline] = stage
        return {"pipeline_id": str(pipeline), "stage_id": str(stage), "notes": key}
