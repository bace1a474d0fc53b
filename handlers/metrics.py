"""What agents can be ranked by, and where each metric's cases come from."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias
from uuid import UUID

from handlers.conversions import count_conversions, immature_warning, sources_of
from handlers.order_statistics import OrderStatistics
from handlers.periods import Span
from handlers.ranking import Agent, Ranking, Rated, Timed, rank_medians, rank_rates
from handlers.tenants import TenantSettings
from rpc_server.contract.query import Query, Row, query
from rpc_server.contract.tool import Call

LIST_RESPONSE_TIMES = query("performance/list_response_times")
COUNT_RATINGS = query("performance/count_ratings")
COUNT_SENTIMENTS = query("performance/count_sentiments")
COUNT_RESOLUTIONS = query("performance/count_resolutions")

Metric: TypeAlias = Literal["conversion_rate", "win_rate", "response_time", "satisfaction", "resolution_rate"]

_RATE_METHOD = (
    "Ranked by the lower end of the Wilson 95 % interval. Decisive: Newcombe's interval of the first minus every "
    "other eligible agent excludes 0 at level 1 - 0.05/(k - 1)."
)
_MEDIAN_METHOD = (
    "Ranked by the upper end of the median's 95 % order-statistic interval. Decisive: the first's interval overlaps "
    "no other eligible agent's at level 1 - 0.05/(k - 1)."
)


@dataclass(frozen=True, slots=True)
class Ranked:
    """A ranking, and what a reader must know of it."""

    ranking: Ranking
    definition: str
    method: str
    warnings: list[str]
    samples: Sequence[Rated] | Sequence[Timed]
    unanswered: int | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """What is ranked: whose call, whose settings, which time, which agents.

    *agents* are all that cases can be credited to; *agent_ids* bounds whose contacts are followed.
    """

    call: Call
    settings: TenantSettings
    span: Span
    agents: Mapping[UUID, Agent]
    agent_ids: Sequence[UUID] | None = None


async def _by_conversions(question: Question, *, of_decided: bool, definition: str) -> Ranked:
    window = question.settings.conversion_window_days
    found = await count_conversions(question.call, question.span, window, question.agent_ids)
    samples = [
        Rated(
            agent,
            row["conversions"],
            row["conversions"] + row["lost"] if of_decided else row["total_contacts"],
        )
        for agent, row in _of(question.agents, found.agents)
    ]
    warnings = found.warnings + immature_warning(found.team["immature"], window, question.call.now)
    if found.shared_contacts:
        warnings.append(f"{found.shared_contacts} contacts count for more than one agent.")
    return Ranked(rank_rates(samples), definition.format(window=window), _RATE_METHOD, warnings, samples)


async def _by_conversion_rate(question: Question) -> Ranked:
    return await _by_conversions(
        question,
        of_decided=False,
        definition="Contacts first won within {window} days of their first conversation of the period with the "
        "agent / contacts with such a conversation who were not won before it.",
    )


async def _by_win_rate(question: Question) -> Ranked:
    return await _by_conversions(
        question,
        of_decided=True,
        definition="Contacts first won / contacts won or lost, within {window} days of their first conversation of "
        "the period with the agent.",
    )


async def _by_response_time(question: Question) -> Ranked:
    opens, closes = question.settings.open_spans()
    rows = await question.call.db.all(
        LIST_RESPONSE_TIMES,
        start=question.span.start,
        end=question.span.end,
        now=question.call.now,
        time_zone=question.settings.time_zone,
        opens=opens,
        closes=closes,
    )
    samples = [_timed(agent, row) for agent, row in _of(question.agents, {row["agent_id"]: row for row in rows})]
    warnings = [] if opens else ["No business hours are set for this tenant, so nights and weekends count."]
    elsewhere = sum(row["n"] for row in rows if row["agent_id"] not in question.agents)
    if elsewhere:
        warnings.append(
            f"{elsewhere} waits were ended by a sender who is none of the listed agents; nobody is credited."
        )
    return Ranked(
        rank_medians(samples),
        "Median seconds from the first unanswered message of a customer to the next message a human sent by hand in "
        "that conversation, credited to its sender; bots, AI, broadcasts and system messages do not stop the clock."
        + (f" Only business hours count ({question.settings.business_hours})." if opens else ""),
        _MEDIAN_METHOD,
        warnings,
        samples,
        unanswered=sum(row["unanswered"] for row in rows),
    )


def _timed(agent: Agent, row: Row) -> Timed:
    """Return an agent's response times, of which the query brings those that figures need."""
    return Timed(
        agent,
        OrderStatistics(row["n"], [(row["middle_at"] - 1, row["middle"]), (row["upper_at"] - 1, row["upper"])]),
        OrderStatistics(row["first_n"], [(row["first_middle_at"] - 1, row["first_middle"])]),
    )


async def _by_satisfaction(question: Question) -> Ranked:
    if (await sources_of(question.call))["has_ratings"]:
        definition = "Ratings of 4 or 5 / ratings given, credited to the human who wrote last before the rating."
        return await _by_share(question, COUNT_RATINGS, definition, [])
    definition = (
        "Conversations of positive sentiment / conversations with a sentiment, credited to the last human sender."
    )
    warning = "The CRM has no ratings for this tenant; the sentiment of conversations stands for satisfaction."
    return await _by_share(question, COUNT_SENTIMENTS, definition, [warning])


async def _by_resolution_rate(question: Question) -> Ranked:
    definition = "Resolved / ended conversations whose last human sender is the agent."
    return await _by_share(question, COUNT_RESOLUTIONS, definition, [])


async def _by_share(question: Question, cases: Query, definition: str, warnings: list[str]) -> Ranked:
    rows = await question.call.db.all(cases, start=question.span.start, end=question.span.end, now=question.call.now)
    found = {row["agent_id"]: row for row in rows}
    samples = [Rated(agent, row["successes"], row["n"]) for agent, row in _of(question.agents, found)]
    return Ranked(rank_rates(samples), definition, _RATE_METHOD, warnings, samples)


def _of(agents: Mapping[UUID, Agent], rows: Mapping[UUID, Row]) -> list[tuple[Agent, Row]]:
    """Pair each agent that has a row with it, in the order of the agents."""
    return [(agent, rows[agent_id]) for agent_id, agent in agents.items() if agent_id in rows]


RANKED_BY: Mapping[Metric, Callable[[Question], Awaitable[Ranked]]] = {
    "conversion_rate": _by_conversion_rate,
    "win_rate": _by_win_rate,
    "response_time": _by_response_time,
    "satisfaction": _by_satisfaction,
    "resolution_rate": _by_resolution_rate,
}
