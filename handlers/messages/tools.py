"""How well an agent writes: analyze_agent_messages, and the same for each agent of a comparison. Read-only."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated
from uuid import UUID

from pydantic import Field, model_validator

from handlers.judging import Advance, Noticed, QualitySample
from handlers.messages.analysis import judge, overall
from handlers.messages.model.scoring import CALL_TOKENS
from handlers.messages.quality import Language, MessageScore
from handlers.messages.recurring import worst_habit
from handlers.messages.report import AgentMessages, fields_of
from handlers.messages.sampling import draw, find_writer
from handlers.periods import Period, latest, order_problems
from handlers.ranking import Agent
from handlers.tenants import TenantSettings, settings_of
from rpc_server.contract.arguments import Arguments
from rpc_server.contract.errors import InvalidArguments
from rpc_server.contract.fields import Id, LocalDate, WholeNumber
from rpc_server.contract.tool import DEFAULT_TIMEOUT_SECONDS, Call, tool

DEFAULT_SAMPLE = 50
# Before the deadline an analysis answers with what it has.
_RESERVE_SECONDS = 15.0
_SAMPLED, _JUDGED = 0.1, 0.95

_DEFINITIONS = {
    "sample": "Systematic over day, conversation and chance from a seed, so each day and conversation is there in "
    "proportion.",
    "average_score": "Mean over the messages to which the dimension applies, 0 to 10.",
    "overall_quality_score": "Mean over messages of the mean of their dimensions; 95 % by Student's t.",
    "consistency": "Messages in the predominant tone / messages with a tone.",
}
_SAYS: Mapping[Language, Mapping[str, str]] = {
    "pt-BR": {
        "reading": "{sampled} de {eligible} mensagens de {name} escolhidas para análise.",
        "judged": "{done} de {total} mensagens de {name} processadas.",
    },
    "en": {
        "reading": "{sampled} of {eligible} messages of {name} drawn for analysis.",
        "judged": "{done} of {total} messages of {name} processed.",
    },
}


class AnalyzeArguments(Arguments):
    """Whose messages, of which days, and how many of them."""

    agent_id: Annotated[Id, Field(description="The agent; list_agents has the ids.")]
    start_date: Annotated[LocalDate | None, Field(description="First local day; default: 30 days up to end_date.")] = (
        None
    )
    end_date: Annotated[LocalDate | None, Field(description="Last local day, inclusive; default: today.")] = None
    sample_size: Annotated[WholeNumber, Field(ge=1, le=500, description="Most messages to judge.")] = DEFAULT_SAMPLE

    @model_validator(mode="after")
    def _days_are_in_order(self) -> "AnalyzeArguments":
        if problems := order_problems(self.start_date, self.end_date):
            raise InvalidArguments(problems)
        return self


@tool(title="Message quality of an agent", permission=("analytics.view", "messages.view"), streams=True)
async def analyze_agent_messages(call: Call, arguments: AnalyzeArguments) -> AgentMessages:
    """Judge a sample of one agent's messages: grammar, tone and empathy, alignment with the brand.

    Use it for "how does Ana write?" and "what should Ana work on?". It takes up to 45 s and reports
    progress. Quote the examples with their message_id, give n with every score, and do not set
    scores of different method beside each other. To compare agents use compare_agents.
    """
    settings = await settings_of(call)
    period = latest(settings.zone, call.now, arguments.start_date, arguments.end_date)
    says = _SAYS[settings.language]
    writer = await find_writer(call, arguments.agent_id)
    agent = writer.agent
    drawn = await draw(call, writer, period, arguments.sample_size)
    # What follows takes long and needs no connection.
    await call.db.release()
    call.progress.report(
        "analyzing",
        _SAMPLED,
        says["reading"].format(sampled=len(drawn.rows), eligible=drawn.eligible, name=agent.name),
        agent_id=str(agent.agent_id),
    )

    def on_done(done: int, total: int) -> None:
        call.progress.report(
            "analyzing",
            _SAMPLED + (_JUDGED - _SAMPLED) * done / total,
            says["judged"].format(done=done, total=total, name=agent.name),
            agent_id=str(agent.agent_id),
            i=done,
            n=total,
        )

    judged = await judge(call, drawn, settings, _answer_by(call), on_done)
    warnings = [*judged.warnings]
    if not drawn.rows:
        warnings.insert(0, f"{agent.name} sent no message in this period that could be judged.")
    return AgentMessages.model_validate(
        {
            "period": period,
            "as_of": call.now.astimezone(settings.zone),
            "definitions": _DEFINITIONS,
            "agent_id": agent.agent_id,
            "agent_name": agent.name,
            "agent_type": agent.type,
            **fields_of(judged, settings.language),
            "warnings": warnings,
        }
    )


async def judge_agents(
    call: Call,
    settings: TenantSettings,
    period: Period,
    agents: Sequence[Agent],
    begin: Callable[[Agent], Advance],
) -> Mapping[UUID, QualitySample]:
    """Judge a sample of each agent's messages, the remaining time and the call's budget shared out evenly."""
    draws = [await draw(call, await find_writer(call, agent.agent_id), period, DEFAULT_SAMPLE) for agent in agents]
    await call.db.release()
    found, loop = {}, asyncio.get_running_loop()
    for waiting, (agent, drawn) in zip(range(len(agents), 0, -1), zip(agents, draws, strict=True), strict=True):
        advance = begin(agent)
        until = loop.time() + max(0.0, _answer_by(call) - loop.time()) / waiting
        judged = await judge(call, drawn, settings, until, advance, call_tokens=CALL_TOKENS // len(agents))
        scores = [value for value in map(overall, judged.scores) if value is not None]
        noticed = _noticed(judged.scores, settings.language)
        found[agent.agent_id] = QualitySample(scores, judged.method, judged.warnings, noticed)
    return found


def _noticed(scores: Sequence[MessageScore], language: Language) -> Noticed | None:
    habit = worst_habit(scores)
    return Noticed(habit.told(language), habit.messages, habit.judged, habit.message_id) if habit else None


def _answer_by(call: Call) -> float:
    """Return when the answer is due, with time left to write it; on the event loop's clock."""
    if call.deadline is None:
        return asyncio.get_running_loop().time() + DEFAULT_TIMEOUT_SECONDS - _RESERVE_SECONDS
    return call.deadline - _RESERVE_SECONDS


TOOLS = (analyze_agent_messages,)
