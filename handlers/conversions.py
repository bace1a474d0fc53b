"""What became of the contacts that agents talked to: one query, shaped for whoever asks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from handlers.answers import Interval95
from handlers.periods import Span
from handlers.ranking import MIN_SAMPLE, Agent
from handlers.statistics import Interval, wilson
from rpc_server.contract.query import Row, query
from rpc_server.contract.result import Part
from rpc_server.contract.tool import Call

COUNT_CONVERSIONS = query("performance/count_conversions")
LIST_AGENTS = query("performance/list_agents")
GET_SOURCES = query("performance/get_sources")


class Figures(Part):
    """What became of some contacts."""

    total_contacts: int = Field(description="Contacts in the rate: its n.")
    qualified: int = Field(description="Of total_contacts, those whose current decision is qualified.")
    conversions: int = Field(description="Of total_contacts, those first won within the window.")
    conversion_rate: float | None = Field(description="conversions / total_contacts, 0 to 1; null without contacts.")
    ci95: Interval95 | None = Field(description="Wilson interval of conversion_rate.")
    decided: int = Field(description="Won or lost within the window: the n of win_rate.")
    win_rate: float | None = Field(description="conversions / decided, 0 to 1; null where nothing is decided.")
    win_rate_ci95: Interval95 | None
    still_open: int = Field(description="Neither won nor lost within the window.")
    immature: int = Field(description="Of total_contacts, those whose window has not ended yet.")
    already_won: int = Field(description="Won before the first conversation of the period; left out of the rate.")
    avg_time_to_conversion_seconds: float | None
    median_time_to_conversion_seconds: float | None
    low_sample: bool = Field(description=f"Fewer than {MIN_SAMPLE} contacts: the rate says little.")


class AgentFigures(Figures):
    """What became of one agent's contacts."""

    agent_id: UUID
    agent_name: str
    agent_type: str


@dataclass(frozen=True, slots=True)
class Conversions:
    """The figures of all agents with contacts, of the team, and what the CRM lacks for them."""

    agents: dict[UUID, Row]
    team: Row
    shared_contacts: int
    warnings: list[str]


_NONE: Row = {
    "total_contacts": 0,
    "already_won": 0,
    "qualified": 0,
    "conversions": 0,
    "lost": 0,
    "immature": 0,
    "avg_seconds": None,
    "median_seconds": None,
}


async def count_conversions(
    call: Call, span: Span, window_days: int, agent_ids: Sequence[UUID] | None = None
) -> Conversions:
    """Return what became of the contacts whose conversations started in *span*."""
    rows = await call.db.all(
        COUNT_CONVERSIONS,
        start=span.start,
        end=span.end,
        window_days=window_days,
        now=call.now,
        agent_ids=None if agent_ids is None else list(agent_ids),
    )
    team = next((row for row in rows if row["agent_id"] is None), None)
    return Conversions(
        agents={row["agent_id"]: row for row in rows if row["agent_id"] is not None},
        team=_NONE if team is None else team,
        shared_contacts=0 if team is None else team["shared_contacts"],
        warnings=await _missing_sources(call),
    )


async def list_agents(call: Call) -> dict[UUID, Agent]:
    """Return the agents that figures can be about, by id."""
    rows = await call.db.all(LIST_AGENTS)
    return {row["agent_id"]: Agent(row["agent_id"], row["agent_name"], row["agent_type"]) for row in rows}


def agent_figures(agent: Agent, conversions: Conversions) -> AgentFigures:
    """Return the figures of *agent*, zeros where it had no contacts."""
    row = conversions.agents.get(agent.agent_id, _NONE)
    return AgentFigures(agent_id=agent.agent_id, agent_name=agent.name, agent_type=agent.type, **_figures(row))


def team_figures(conversions: Conversions) -> Figures:
    """Return the figures over distinct contacts."""
    return Figures(**_figures(conversions.team))


def rounded(value: float | None) -> float | None:
    """Return a rate to four decimals: more would be noise."""
    return None if value is None else round(value, 4)


def rounded_interval(interval: Interval | None) -> Interval95 | None:
    """Return an interval as answers show it."""
    return None if interval is None else Interval95(low=round(interval.low, 4), high=round(interval.high, 4))


def _figures(row: Row) -> dict[str, Any]:
    total, conversions = row["total_contacts"], row["conversions"]
    decided = conversions + row["lost"]
    return {
        "total_contacts": total,
        "qualified": row["qualified"],
        "conversions": conversions,
        "conversion_rate": rounded(conversions / total) if total else None,
        "ci95": rounded_interval(wilson(conversions, total)),
        "decided": decided,
        "win_rate": rounded(conversions / decided) if decided else None,
        "win_rate_ci95": rounded_interval(wilson(conversions, decided)),
        "still_open": total - decided,
        "immature": row["immature"],
        "already_won": row["already_won"],
        "avg_time_to_conversion_seconds": _seconds(row["avg_seconds"]),
        "median_time_to_conversion_seconds": _seconds(row["median_seconds"]),
        "low_sample": total < MIN_SAMPLE,
    }


def _seconds(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


async def sources_of(call: Call) -> Row:
    """Return what the tenant's CRM keeps at all."""
    sources = await call.db.first(GET_SOURCES)
    assert sources is not None
    return sources


async def _missing_sources(call: Call) -> list[str]:
    sources = await sources_of(call)
    if not sources["has_stage_history"]:
        return ["The CRM keeps no stage history for this tenant, so no conversion can be seen."]
    missing = [outcome for outcome in ("won", "lost") if not sources[f"has_{outcome}_stage"]]
    return [
        f"No stage is known to mean {outcome}; name them in the tenant setting {outcome}_stage_names."
        for outcome in missing
    ]


def immature_warning(immature: int, window_days: int, as_of: datetime) -> list[str]:
    """Return the warning that rates may still rise, where they may."""
    if not immature:
        return []
    return [
        f"{immature} contacts are still within their {window_days}-day window on {as_of.date()}; rates may still rise."
    ]
