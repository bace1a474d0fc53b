"""What a comparison says in sentences: drawn from its figures alone, and never a cause.

Names come from the tenant's own staff; channels may come from anybody, so no sentence names one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from handlers.case_mix import Contrast
from handlers.judging import Quality
from handlers.pairwise import Difference, Dimension, Standing
from handlers.ranking import MIN_SAMPLE, Agent
from handlers.wording import Wording

_CREDITED_TO_PEOPLE: frozenset[Dimension] = frozenset({"response_time", "satisfaction", "resolution_rate"})


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that is known of some agents beside each other."""

    agents: Sequence[Agent]
    standings: Sequence[Standing]
    winner: Agent | None
    contrasts: Sequence[Contrast]
    quality: Quality


def summary(comparison: Comparison, wording: Wording) -> str:
    """Return who is ahead on the whole, or why nobody is."""
    names = partial(_dimensions, wording)
    leaders = {agent: names(led) for agent in comparison.agents if (led := _led(comparison, agent))}
    if comparison.winner is not None:
        headline = wording.winner.format(winner=comparison.winner.name, dimensions=leaders[comparison.winner])
    elif not leaders:
        return wording.no_leader
    else:
        clauses = []
        for agent, dimensions in leaders.items():
            clause = wording.leads.format(name=agent.name, dimensions=dimensions)
            if behind := _behind(comparison, agent):
                clause = wording.but_behind.format(leads=clause, dimensions=names(behind))
            clauses.append(clause)
        headline = wording.no_winner.format(leaders="; ".join(clauses))
    undecided = [standing for standing in comparison.standings if standing.leader is None]
    return " ".join([headline, wording.undecided.format(dimensions=names(undecided))] if undecided else [headline])


def insights(comparison: Comparison, wording: Wording) -> list[str]:
    """Return what the figures show dimension by dimension, and what to keep in mind when reading them."""
    sentences = [
        sentence for standing in comparison.standings for sentence in _standing(comparison.agents, standing, wording)
    ]
    return [*sentences, *_noticed(comparison, wording), *_cautions(comparison, wording), wording.no_causes]


def _led(comparison: Comparison, agent: Agent) -> list[Standing]:
    return [standing for standing in comparison.standings if standing.leader == agent]


def _behind(comparison: Comparison, agent: Agent) -> list[Standing]:
    return [
        standing
        for standing in comparison.standings
        if any(difference.behind == agent for difference in standing.differences)
    ]


def _dimensions(wording: Wording, standings: Sequence[Standing]) -> str:
    return wording.listed([wording.dimensions[standing.dimension] for standing in standings])


def _standing(agents: Sequence[Agent], standing: Standing, wording: Wording) -> Iterator[str]:
    """Yield who is ahead of whom in a dimension, or that nothing is decided."""
    name = wording.dimensions[standing.dimension]
    dimension = name[0].upper() + name[1:]
    compared = [agent for agent in agents if agent.agent_id in standing.ranks]
    if len(compared) < 2:
        yield wording.not_compared.format(dimension=dimension, least=MIN_SAMPLE)
        return
    for agent in compared:
        wins = [difference for difference in standing.differences if difference.ahead == agent]
        if wins:
            yield wording.is_ahead.format(
                dimension=dimension,
                name=agent.name,
                figure=_figure(standing, agent, wording),
                others=wording.listed([_ahead_of(standing, win, wording) for win in wins]),
            )
    if not any(difference.is_significant for difference in standing.differences):
        figures = [f"{agent.name} ({_figure(standing, agent, wording)})" for agent in compared]
        yield wording.chance.format(dimension=dimension, names=wording.listed(figures))
    elif standing.leader is None:
        yield wording.nobody_leads.format(dimension=dimension)


def _figure(standing: Standing, agent: Agent, wording: Wording) -> str:
    estimate = standing.estimates[agent.agent_id]
    assert estimate.value is not None
    assert estimate.interval is not None
    shown = partial(wording.value, standing.dimension)
    interval = wording.interval.format(low=shown(estimate.interval.low), high=shown(estimate.interval.high))
    return f"{shown(estimate.value)}, n = {wording.number(estimate.n)}; 95 %: {interval}"


def _ahead_of(standing: Standing, win: Difference, wording: Wording) -> str:
    assert win.behind is not None
    ends = sorted(abs(end) for end in win.interval)
    low, high = (wording.gap(standing.dimension, end) for end in ends)
    return wording.ahead_of.format(
        name=win.behind.name,
        figure=_figure(standing, win.behind, wording),
        gap=wording.gap(standing.dimension, abs(win.value)),
        level=_level(win.level, wording),
        interval=wording.interval.format(low=low, high=high),
    )


def _level(level: float, wording: Wording) -> str:
    percent = round(100 * level, 1)
    return f"{wording.number(percent, 0 if percent.is_integer() else 1)} %"


def _noticed(comparison: Comparison, wording: Wording) -> Iterator[str]:
    """Yield what recurs in each agent's messages, with one to look up."""
    for agent in comparison.agents:
        if noticed := comparison.quality.noticed.get(agent.agent_id):
            yield wording.recurs.format(
                name=agent.name,
                what=noticed.what,
                messages=noticed.messages,
                n=noticed.judged,
                message_id=noticed.message_id,
            )


def _cautions(comparison: Comparison, wording: Wording) -> Iterator[str]:
    """Yield what limits the comparison."""
    few = [
        wording.few_in.format(
            name=agent.name,
            dimension=wording.dimensions[standing.dimension],
            n=standing.estimates[agent.agent_id].n,
        )
        for standing in comparison.standings
        for agent in comparison.agents
        if agent.agent_id not in standing.ranks
        and (agent.type == "human" or standing.dimension not in _CREDITED_TO_PEOPLE)
    ]
    if few:
        yield wording.few_cases.format(least=MIN_SAMPLE, cases="; ".join(few))
    for agent in comparison.agents:
        if agent.type != "human":
            yield wording.no_person.format(name=agent.name)
    for contrast in comparison.contrasts:
        yield wording.mix.format(
            kind=wording.kinds[contrast.kind],
            more=contrast.more.name,
            more_share=wording.percent(contrast.more_share),
            less=contrast.less.name,
            less_share=wording.percent(contrast.less_share),
        )
    match comparison.quality.left_out:
        case "unscored":
            names = wording.listed([agent.name for agent in comparison.quality.unscored])
            yield wording.unscored.format(names=names)
        case "methods":
            yield wording.methods
