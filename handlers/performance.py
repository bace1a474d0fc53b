"""How agents do: who converts, who answers fast, and whether the numbers decide it. Read-only."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, model_validator

from handlers.answers import Analysis, Interval95, Warnings, duration, percent
from handlers.conversions import (
    AgentFigures,
    Figures,
    agent_figures,
    count_conversions,
    immature_warning,
    list_agents,
    rounded_interval,
    team_figures,
)
from handlers.metrics import RANKED_BY, Metric, Question
from handlers.periods import check_dates, latest, order_problems, resolve, span
from handlers.ranking import MIN_SAMPLE, Agent, Place, Rated, rank_rates
from handlers.tenants import settings_of
from rpc_server.contract.arguments import Arguments
from rpc_server.contract.errors import InvalidArguments
from rpc_server.contract.fields import Id, LocalDate, WholeNumber
from rpc_server.contract.result import Part
from rpc_server.contract.tool import Call, tool


class ConversionArguments(Arguments):
    """Whose conversions, over which days."""

    start_date: Annotated[LocalDate | None, Field(description="First local day; default: 30 days up to end_date.")] = (
        None
    )
    end_date: Annotated[LocalDate | None, Field(description="Last local day, inclusive; default: today.")] = None
    agent_ids: Annotated[
        list[Id] | None, Field(description="Only these agents (list_agents has the ids).", min_length=1, max_length=100)
    ] = None
    conversion_window_days: Annotated[
        WholeNumber | None,
        Field(description="How long a win still counts; default: the tenant's setting.", ge=1, le=730),
    ] = None

    @model_validator(mode="after")
    def _dates_in_order(self) -> "ConversionArguments":
        if problems := order_problems(self.start_date, self.end_date):
            raise InvalidArguments(problems)
        return self


class TopAgent(Part):
    """The agent whose rate is decisively above every other's."""

    agent_id: UUID
    agent_name: str


class ConversionStats(Analysis):
    """The answer of get_agent_conversion_stats."""

    conversion_window_days: int
    stats: list[AgentFigures]
    team: Figures
    shared_contacts: int = Field(description="Contacts that count for more than one agent.")
    top_agent: TopAgent | None = Field(description="Null where the numbers do not decide it.")
    not_found: list[UUID] = Field(description="Asked for, and none of the tenant's agents.")
    warnings: Warnings

    def text(self) -> str:
        """Return a line for each agent, and whether one is ahead."""
        lines = [
            f"Conversions of contacts met in {self.period.words()}, within {self.conversion_window_days} days; "
            f"team {_rate_words(self.team)}."
        ]
        lines += [f"{s.agent_name} ({s.agent_type}, {s.agent_id}): {_rate_words(s)}" for s in self.stats]
        lines.append(
            f"Ahead of all others beyond chance: {self.top_agent.agent_name} ({self.top_agent.agent_id})."
            if self.top_agent
            else "No agent is ahead of all others beyond chance: do not name a winner."
        )
        lines += [f"Not an agent of this tenant: {agent_id}" for agent_id in self.not_found]
        return "\n".join([*lines, *self.warnings])


CONVERSION_DEFINITIONS = {
    "total_contacts": "Distinct contacts with a conversation started in the period in which the agent took part, who "
    "were not won before it.",
    "conversion_rate": "Contacts that first entered a won stage within the window after that conversation's start / "
    "total_contacts.",
    "win_rate": "conversions / decided; decided = won, or last moved to a lost stage, within the window.",
    "time_to_conversion": "From the first such conversation to the win.",
    "team": "The same over distinct contacts; a contact of two agents counts once.",
}


@tool(title="Conversion by agent", permission="analytics.view", cache_seconds=300)
async def get_agent_conversion_stats(call: Call, arguments: ConversionArguments) -> ConversionStats:
    """Show how many of each agent's contacts were won, with intervals that say how sure that is.

    Use it for "how do my agents convert?" and "how is Ana doing?". A rate comes with its n and
    95 % interval; top_agent is null when no agent is ahead beyond chance, and then no winner
    should be named. To rank agents by another metric use get_top_performing_agent.
    """
    settings = await settings_of(call)
    zone = settings.zone
    period = latest(zone, call.now, arguments.start_date, arguments.end_date)
    window = arguments.conversion_window_days or settings.conversion_window_days
    found = await count_conversions(call, span(period), window, arguments.agent_ids)
    agents = await list_agents(call)
    asked = found.agents if arguments.agent_ids is None else dict.fromkeys(arguments.agent_ids)
    stats = [agent_figures(agents[agent_id], found) for agent_id in asked if agent_id in agents]
    stats.sort(key=lambda s: s.agent_id)
    stats.sort(key=lambda s: (-1 if s.conversion_rate is None else s.conversion_rate, s.conversions), reverse=True)
    team = team_figures(found)
    return ConversionStats(
        period=period,
        as_of=call.now.astimezone(zone),
        definitions=CONVERSION_DEFINITIONS,
        conversion_window_days=window,
        stats=stats,
        team=team,
        shared_contacts=found.shared_contacts,
        top_agent=_ahead(stats),
        not_found=[agent_id for agent_id in asked if agent_id not in agents],
        warnings=found.warnings + immature_warning(team.immature, window, call.now.astimezone(zone)),
    )


def _ahead(stats: list[AgentFigures]) -> TopAgent | None:
    rated = [Rated(Agent(s.agent_id, s.agent_name, s.agent_type), s.conversions, s.total_contacts) for s in stats]
    ranking = rank_rates(rated)
    if not ranking.decisive:
        return None
    first = ranking.places[0].agent
    return TopAgent(agent_id=first.agent_id, agent_name=first.name)


def _rate_words(figures: Figures) -> str:
    if figures.conversion_rate is None or figures.ci95 is None:
        return "no contacts, so no rate"
    interval = f"{percent(figures.ci95.low)} to {percent(figures.ci95.high)}"
    return (
        f"{figures.conversions} of {figures.total_contacts} = {percent(figures.conversion_rate)} "
        f"(95 %: {interval}{', few cases' if figures.low_sample else ''})"
    )


class TopAgentArguments(Arguments):
    """By what to rank, over which period."""

    metric: Annotated[Metric, Field(description="What to rank by; response_time: shorter is better.")]
    period: Annotated[
        Literal["week", "month", "quarter", "custom"],
        Field(
            description="Current week (from Monday), month or quarter in the tenant's time zone; custom needs dates."
        ),
    ]
    start_date: Annotated[LocalDate | None, Field(description="First local day, with period custom.")] = None
    end_date: Annotated[LocalDate | None, Field(description="Last local day, inclusive, with period custom.")] = None

    @model_validator(mode="after")
    def _dates_fit_the_period(self) -> "TopAgentArguments":
        check_dates(self.period, self.start_date, self.end_date)
        return self


class FirstResponse(Part):
    """Responses to the message that opened a conversation."""

    median: float | None = Field(description="Seconds.")
    n: int


class RankedAgent(Part):
    """An agent's place."""

    rank: int
    tied_with: list[UUID] = Field(description="Agents with the very same figure and interval.")
    agent_id: UUID
    agent_name: str
    agent_type: str
    value: float = Field(description="A rate from 0 to 1; for response_time the median in seconds.")
    ci95: Interval95
    n: int = Field(description="Cases behind the value.")
    p90: float | None = Field(description="response_time only: nine of ten waits were shorter; seconds.")
    first_response: FirstResponse | None = Field(description="response_time only.")


class ExcludedAgent(Part):
    """An agent that is not ranked."""

    agent_id: UUID
    agent_name: str
    reason: str


class TopPerformingAgent(Analysis):
    """The answer of get_top_performing_agent."""

    metric: str
    direction: Literal["higher_is_better", "lower_is_better"]
    agent_id: UUID | None = Field(description="First in the ranking; null when nobody has enough cases.")
    agent_name: str | None
    agent_type: str | None
    metric_value: float | None
    decisive: bool = Field(description="False: chance may have made the order; then name no winner.")
    method: str
    min_sample: int
    ranking: list[RankedAgent]
    excluded: list[ExcludedAgent]
    unanswered: int | None = Field(description="response_time only: waits of the period that nobody has ended.")
    warnings: Warnings

    def text(self) -> str:
        """Return who is first, whether that is certain, and the ranking."""
        shown = duration if self.metric == "response_time" else percent
        if self.agent_id is None:
            headline = f"Nobody has the {self.min_sample} cases that a ranking by {self.metric} needs"
        elif self.decisive:
            headline = (
                f"{self.agent_name} ({self.agent_id}) is first by {self.metric}, {shown(self.metric_value)}, decisively"
            )
        else:
            headline = (
                f"By {self.metric} {self.agent_name} ({self.agent_id}) comes first with {shown(self.metric_value)}, "
                "but the numbers do not decide it: name no winner"
            )
        lines = [f"{headline}. {self.period.words()}."]
        lines += [
            f"{place.rank}. {place.agent_name} ({place.agent_type}, {place.agent_id}): {shown(place.value)} "
            f"(95 %: {shown(place.ci95.low)} to {shown(place.ci95.high)}; n = {place.n})"
            for place in self.ranking
        ]
        lines += [f"Not ranked: {agent.agent_name} ({agent.agent_id}), {agent.reason}" for agent in self.excluded]
        if self.unanswered is not None:
            lines.append(f"Unanswered so far: {self.unanswered}.")
        return "\n".join([*lines, *self.warnings])


@tool(title="Best agent", permission="analytics.view", cache_seconds=300)
async def get_top_performing_agent(call: Call, arguments: TopAgentArguments) -> TopPerformingAgent:
    """Rank the agents by one metric and say whether the first place is decided or could be chance.

    Use it for "who converts best?", "who answers fastest?", "who has the happiest customers?".
    When decisive is false, say that the numbers do not decide it instead of naming a winner.
    Agents with fewer than 10 cases are not ranked, but listed in excluded.
    """
    settings = await settings_of(call)
    zone = settings.zone
    period = resolve(arguments.period, zone, call.now, arguments.start_date, arguments.end_date)
    agents = await list_agents(call)
    ranked = await RANKED_BY[arguments.metric](Question(call, settings, span(period), agents))
    first = ranked.ranking.places[0] if ranked.ranking.places else None
    return TopPerformingAgent(
        period=period,
        as_of=call.now.astimezone(zone),
        definitions={arguments.metric: ranked.definition},
        metric=arguments.metric,
        direction=ranked.ranking.direction,
        agent_id=first and first.agent.agent_id,
        agent_name=first and first.agent.name,
        agent_type=first and first.agent.type,
        metric_value=first and round(first.value, 4),
        decisive=ranked.ranking.decisive,
        method=ranked.method,
        min_sample=MIN_SAMPLE,
        ranking=[_place(place) for place in ranked.ranking.places],
        excluded=[
            ExcludedAgent(agent_id=agent.agent_id, agent_name=agent.name, reason=reason)
            for agent, reason in ranked.ranking.excluded
        ],
        unanswered=ranked.unanswered,
        warnings=ranked.warnings,
    )


def _place(place: Place) -> RankedAgent:
    interval = rounded_interval(place.interval)
    assert interval is not None
    return RankedAgent(
        rank=place.rank,
        tied_with=list(place.tied_with),
        agent_id=place.agent.agent_id,
        agent_name=place.agent.name,
        agent_type=place.agent.type,
        value=round(place.value, 4),
        ci95=interval,
        n=place.n,
        p90=None if place.p90 is None else round(place.p90, 1),
        first_response=None
        if place.first_n is None
        else FirstResponse(
            median=None if place.first_median is None else round(place.first_median, 1), n=place.first_n
        ),
    )


TOOLS = (get_agent_conversion_stats, get_top_performing_agent)
