"""How a comparison is shown: its fields, and its text."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from pydantic import Field

from handlers.answers import Analysis, Interval95, Warnings, duration, percent
from handlers.case_mix import CaseMix
from handlers.conversions import rounded, rounded_interval
from handlers.pairwise import Difference, Dimension, Estimate, Standing
from handlers.ranking import MIN_SAMPLE, Agent
from rpc_server.contract.result import Part


class ComparedFigure(Part):
    """A figure of one agent."""

    value: float | None = Field(
        description="A rate 0 to 1, a median in seconds, or a mean score 0 to 10; null without cases."
    )
    n: int = Field(description=f"Cases behind it; below {MIN_SAMPLE} it takes no part in decisions.")
    ci95: Interval95 | None


class ComparedAgent(Part):
    """An agent and its figures."""

    agent_id: UUID
    agent_name: str
    agent_type: str = Field(description="human, ai, bot or channel.")
    metrics: dict[Dimension, ComparedFigure]
    rank: dict[Dimension, int] = Field(description="Only where there are cases enough; equals share a rank.")


class AdjustedInterval(Part):
    """Where a difference plausibly lies."""

    low: float
    high: float


class PairDifference(Part):
    """The figure of a less that of b."""

    a: UUID
    b: UUID
    dimension: Dimension
    difference: float = Field(description="a less b; for response_time below 0 is better for a.")
    ci: AdjustedInterval = Field(description="At level; all pairs of a dimension together hold at 95 %.")
    level: float
    significant: bool = Field(description="Whether ci excludes 0.")


class ComparedAgents(Analysis):
    """The answer of compare_agents."""

    comparison_id: str = Field(description="The request id.")
    agents: list[ComparedAgent]
    pairwise: list[PairDifference] = Field(description="Of agents with cases enough.")
    winners: dict[Dimension, UUID | None] = Field(description="Who is ahead of all others beyond chance; null: nobody.")
    winner: UUID | None = Field(
        description="Leads at least one dimension, is behind nobody in any, and is the only such agent; else null."
    )
    decisive: bool = Field(description="False: the numbers decide no winner; then name none.")
    summary: str
    insights: list[str]
    case_mix: list[CaseMix]
    warnings: Warnings

    def text(self) -> str:
        """Return the verdict, a line for each agent, and what the figures show."""
        names = {agent.agent_id: f"{agent.agent_name} ({agent.agent_id})" for agent in self.agents}
        verdict = (
            f"Winner: {names[self.winner]}."
            if self.winner is not None
            else "The numbers decide no winner: do not name one."
        )
        lines = [f"{self.summary} {verdict}", f"{self.period.words()}. Comparison {self.comparison_id}."]
        lines += [_agent_line(agent) for agent in self.agents]
        leads = ", ".join(f"{key}: {names[who] if who else 'nobody'}" for key, who in self.winners.items())
        lines.append(f"Ahead of all others beyond chance: {leads}.")
        if "quality" in self.winners:
            lines.append(f"Quality: {self.definitions['quality']}")
        lines += self.insights
        lines += [_mix_line(names[mix.agent_id], mix) for mix in self.case_mix]
        return "\n".join([*lines, *self.warnings])

    def highlights(self) -> dict[str, Any]:
        """Return the winner, or null where there is none."""
        return {"winner": self.winner and str(self.winner)}


def compared_agent(agent: Agent, standings: Sequence[Standing]) -> ComparedAgent:
    """Return the figures of *agent* as the answer shows them."""
    return ComparedAgent(
        agent_id=agent.agent_id,
        agent_name=agent.name,
        agent_type=agent.type,
        metrics={standing.dimension: _figure(standing.estimates[agent.agent_id]) for standing in standings},
        rank={
            standing.dimension: standing.ranks[agent.agent_id]
            for standing in standings
            if agent.agent_id in standing.ranks
        },
    )


def pair_difference(difference: Difference) -> PairDifference:
    """Return *difference* as the answer shows it."""
    return PairDifference(
        a=difference.a.agent_id,
        b=difference.b.agent_id,
        dimension=difference.dimension,
        difference=difference.value,
        ci=AdjustedInterval(low=difference.interval.low, high=difference.interval.high),
        level=round(difference.level, 6),
        significant=difference.is_significant,
    )


def _figure(estimate: Estimate) -> ComparedFigure:
    return ComparedFigure(value=rounded(estimate.value), n=estimate.n, ci95=rounded_interval(estimate.interval))


def _agent_line(agent: ComparedAgent) -> str:
    figures = "; ".join(_figure_words(key, figure, agent.rank.get(key)) for key, figure in agent.metrics.items())
    return f"{agent.agent_name} ({agent.agent_type}, {agent.agent_id}): {figures}"


def _figure_words(dimension: Dimension, figure: ComparedFigure, rank: int | None) -> str:
    shown = {"response_time": duration, "quality": _score}.get(dimension, percent)
    interval = f"95 %: {shown(figure.ci95.low)} to {shown(figure.ci95.high)}; " if figure.ci95 else ""
    place = "few cases, not ranked" if rank is None else f"rank {rank}"
    return f"{dimension} {shown(figure.value)} ({interval}n = {figure.n}; {place})"


def _score(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _mix_line(name: str, mix: CaseMix) -> str:
    """Return the mix by pipeline; channels may be called anything by anybody, so they stand in their field only."""
    shares = ", ".join(
        f"{share.pipeline_name} ({share.pipeline_id}) {percent(share.share)}"
        for share in mix.pipelines
        if share.pipeline_id is not None
    )
    return f"Contacts of {name}: {mix.contacts}{f'; by pipeline: {shares}' if shares else ''}"
