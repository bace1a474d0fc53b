"""Agents beside each other: what the figures decide between them, and what they leave open. Read-only."""

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Annotated, Literal, TypeAlias, get_args
from uuid import UUID

from pydantic import Field, model_validator

from handlers.case_mix import CASE_MIX_DEFINITION, contrasts, count_case_mix
from handlers.compared import ComparedAgents, compared_agent, pair_difference
from handlers.conversions import list_agents
from handlers.insights import Comparison, insights, summary
from handlers.judging import Advance, Judge, Quality, comparable, unjudged
from handlers.messages.tools import judge_agents
from handlers.metrics import RANKED_BY, Question, Ranked
from handlers.pairwise import stand, winner
from handlers.periods import latest, order_problems, span
from handlers.ranking import MIN_SAMPLE, Agent
from handlers.tenants import settings_of
from handlers.wording import WORDING, Wording
from rpc_server.contract.arguments import Arguments
from rpc_server.contract.errors import FieldProblem, InvalidArguments, NotFound
from rpc_server.contract.fields import Id, LocalDate
from rpc_server.contract.tool import Call, tool

# Who judges messages.
JUDGE: Judge = judge_agents

_Counted: TypeAlias = Literal["conversion_rate", "response_time", "satisfaction", "resolution_rate"]
_COUNTED: tuple[_Counted, ...] = get_args(_Counted)
_FIRST_AGENT, _ALL_ANALYZED = 0.1, 0.9

_METHODS = {
    "ci95": "95 % interval. Rates: Wilson; response_time: order statistics of the median; quality: Student's t.",
    "rank": "By the conservative end of ci95, among agents with cases enough.",
    "pairwise": f"The figure of a less that of b, where both have at least {MIN_SAMPLE} cases, at level 1 - 0.05 / "
    "(pairs of the dimension). Rates: Newcombe's interval; response_time: from low of a less high of b to high of a "
    "less low of b, of their order-statistic intervals at that level; quality: Welch's t interval, messages taken as "
    "independent.",
    "winners": "Significantly ahead of every other agent with cases enough. Dimensions are judged one by one.",
    "case_mix": CASE_MIX_DEFINITION,
}


class CompareArguments(Arguments):
    """Which agents, over which days."""

    agent_ids: Annotated[
        list[Id],
        Field(
            description="The agents to compare, 2 to 5, each once (list_agents has the ids).",
            min_length=2,
            max_length=5,
            json_schema_extra={"uniqueItems": True},
        ),
    ]
    start_date: Annotated[LocalDate | None, Field(description="First local day; default: 30 days up to end_date.")] = (
        None
    )
    end_date: Annotated[LocalDate | None, Field(description="Last local day, inclusive; default: today.")] = None
    include_quality: Annotated[
        bool, Field(description="Whether to judge a sample of each agent's messages, which takes longer.")
    ] = True

    @model_validator(mode="after")
    def _fits(self) -> "CompareArguments":
        problems = order_problems(self.start_date, self.end_date)
        if len(set(self.agent_ids)) < len(self.agent_ids):
            problems.append(FieldProblem("agent_ids", "names an agent twice", expected="2 to 5 different agents"))
        if problems:
            raise InvalidArguments(problems)
        return self


@tool(title="Compare agents", permission=("analytics.view", "messages.view"), streams=True, timeout_seconds=60)
async def compare_agents(call: Call, arguments: CompareArguments) -> ComparedAgents:
    """Compare 2 to 5 agents and say in what one is ahead beyond chance, and whether anybody is on the whole.

    Use it for "who is better, Ana or Bia, and in what?". Compares conversion, response time,
    satisfaction, resolution and, where one method scored everybody's messages, quality; each
    difference has an interval. When winner is null, say that the numbers do not decide it. Figures
    show differences, not causes; case_mix shows whether the agents had the same kind of contacts.
    """
    settings = await settings_of(call)
    wording = WORDING[settings.language]
    period = latest(settings.zone, call.now, arguments.start_date, arguments.end_date)
    known = await list_agents(call)
    agents = _chosen(known, arguments.agent_ids)
    question = Question(call, settings, span(period), known, arguments.agent_ids)
    ranked = {dimension: await RANKED_BY[dimension](question) for dimension in _COUNTED}
    mixes = await count_case_mix(call, question.span, agents)
    judge = JUDGE if arguments.include_quality else unjudged
    judged = await judge(call, settings, period, agents, _announcing(call, agents, wording))
    quality = comparable(agents, judged) if arguments.include_quality else Quality()
    call.progress.report("comparing", _ALL_ANALYZED, wording.comparing.format(n=len(agents)))
    standings = [stand(dimension, agents, found.samples) for dimension, found in ranked.items()]
    if quality.samples:
        standings.append(stand("quality", agents, quality.samples))
    compared = Comparison(agents, standings, winner(standings), contrasts(agents, mixes), quality)
    return ComparedAgents(
        period=period,
        as_of=call.now.astimezone(settings.zone),
        definitions=_definitions(ranked, quality),
        comparison_id=call.request_id,
        agents=[compared_agent(agent, standings) for agent in agents],
        pairwise=[pair_difference(difference) for standing in standings for difference in standing.differences],
        winners={standing.dimension: standing.leader and standing.leader.agent_id for standing in standings},
        winner=compared.winner and compared.winner.agent_id,
        decisive=compared.winner is not None,
        summary=summary(compared, wording),
        insights=insights(compared, wording),
        case_mix=mixes,
        warnings=_warnings(list(ranked.values()), quality),
    )


def _chosen(known: Mapping[UUID, Agent], agent_ids: Sequence[UUID]) -> list[Agent]:
    """Return the agents asked for; a comparison without one of them would answer another question."""
    missing = [str(agent_id) for agent_id in agent_ids if agent_id not in known]
    if missing:
        raise NotFound(
            f"There is no agent {' nor '.join(missing)} that can be compared. list_agents lists the agents; "
            "system and virtual ones have no figures.",
            agent_ids=missing,
        )
    return [known[agent_id] for agent_id in agent_ids]


def _announcing(call: Call, agents: Sequence[Agent], wording: Wording) -> Callable[[Agent], Advance]:
    """Return what is to be called as the work on an agent begins: watchers are told of that, and how it goes on."""
    numbers, n = count(1), len(agents)

    def begin(agent: Agent) -> Advance:
        i = next(numbers)

        def tell(message: str, share: float, **data: int) -> None:
            call.progress.report(
                "analyzing",
                _FIRST_AGENT + (_ALL_ANALYZED - _FIRST_AGENT) * (i - 1 + share) / n,
                message,
                agent_id=str(agent.agent_id),
                agent=agent.name,
                i=i,
                n=n,
                **data,
            )

        def advance(done: int, total: int) -> None:
            message = wording.advancing.format(name=agent.name, i=i, n=n, done=done, total=total)
            tell(message, done / total, done=done, total=total)

        tell(wording.analyzing.format(name=agent.name, i=i, n=n), 0)
        return advance

    return begin


def _definitions(ranked: Mapping[_Counted, Ranked], quality: Quality) -> dict[str, str]:
    definitions: dict[str, str] = {dimension: found.definition for dimension, found in ranked.items()}
    if quality.samples:
        definitions["quality"] = (
            f"Mean score, 0 to 10, of a sample of the agent's messages, scored by the method {quality.method}."
        )
    return {**definitions, **_METHODS}


def _warnings(ranked: Sequence[Ranked], quality: Quality) -> list[str]:
    warnings = [warning for found in ranked for warning in found.warnings]
    warnings += [
        f"{found.unanswered} waits of the period are unanswered; they are in no agent's response_time."
        for found in ranked
        if found.unanswered
    ]
    return [*dict.fromkeys(warnings), *quality.warnings]


TOOLS = (compare_agents,)
