"""Agents held against each other, two at a time: who is ahead of everybody in a dimension, and on the whole."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean
from typing import Literal, TypeAlias, get_args
from uuid import UUID

from handlers.means import mean_interval, welch
from handlers.messages.quality import SCALE
from handlers.ranking import LEVEL, MIN_SAMPLE, Agent, Rated, Timed
from handlers.statistics import Interval, bonferroni_level, median, median_interval, newcombe, wilson

Dimension: TypeAlias = Literal["conversion_rate", "response_time", "satisfaction", "resolution_rate", "quality"]
DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)

# Answers show four decimals. Whether a difference is significant is read from the interval as shown.
_DECIMALS = 4


@dataclass(frozen=True, slots=True)
class Scored:
    """How good an agent's messages are: a score from 0 to SCALE for each one that was judged."""

    agent: Agent
    scores: Sequence[float]

    @property
    def n(self) -> int:
        """Return how many there are."""
        return len(self.scores)


Sample: TypeAlias = Rated | Timed | Scored


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a sample says: a rate, a median in seconds or a mean score, its 95 % interval, and out of how many cases."""

    value: float | None = None
    n: int = 0
    interval: Interval | None = None

    @property
    def is_enough(self) -> bool:
        """Tell whether there are cases enough to take part in decisions."""
        return self.n >= MIN_SAMPLE


@dataclass(frozen=True, slots=True)
class Difference:
    """The figure of *a* less that of *b*, and where it plausibly lies at an adjusted level."""

    dimension: Dimension
    a: Agent
    b: Agent
    value: float
    interval: Interval
    level: float

    @property
    def is_significant(self) -> bool:
        """Tell whether chance alone would seldom make such a difference."""
        return self.interval.excludes_zero

    @property
    def ahead(self) -> Agent | None:
        """Return the better one, or None where the difference decides nothing."""
        if not self.is_significant:
            return None
        return self.a if (self.interval.low > 0) != lower_is_better(self.dimension) else self.b

    @property
    def behind(self) -> Agent | None:
        """Return the worse one, or None where the difference decides nothing."""
        return None if self.ahead is None else self.b if self.ahead == self.a else self.a


@dataclass(frozen=True, slots=True)
class Standing:
    """How agents stand to each other in one dimension; only those with cases enough are ranked and compared."""

    dimension: Dimension
    estimates: Mapping[UUID, Estimate]
    ranks: Mapping[UUID, int]
    differences: Sequence[Difference]
    leader: Agent | None


def lower_is_better(dimension: Dimension) -> bool:
    """Tell whether less is more."""
    return dimension == "response_time"


def stand(dimension: Dimension, agents: Sequence[Agent], samples: Iterable[Sample]) -> Standing:
    """Return how *agents* stand to each other by those of *samples* that are theirs."""
    by_agent = {sample.agent.agent_id: sample for sample in samples}
    estimates = {agent.agent_id: _estimate(by_agent.get(agent.agent_id)) for agent in agents}
    eligible = [agent for agent in agents if estimates[agent.agent_id].is_enough]
    compared = differences(dimension, [by_agent[agent.agent_id] for agent in eligible])
    return Standing(dimension, estimates, _ranks(dimension, estimates), compared, leader(eligible, compared))


def differences(dimension: Dimension, samples: Sequence[Sample]) -> list[Difference]:
    """Return the difference of each pair, with intervals that hold together at 95 %."""
    pairs = list(combinations(samples, 2))
    if not pairs:
        return []
    level = bonferroni_level(LEVEL, len(pairs))
    return [_difference(dimension, one, other, level) for one, other in pairs]


def leader(agents: Sequence[Agent], compared: Sequence[Difference]) -> Agent | None:
    """Return the agent that is ahead of every other, where there is one and another to be ahead of."""
    wins = [difference.ahead for difference in compared]
    return next((agent for agent in agents if len(agents) > 1 and wins.count(agent) == len(agents) - 1), None)


def winner(standings: Iterable[Standing]) -> Agent | None:
    """Return the one agent that leads at least one dimension and is behind nobody in any."""
    standings = list(standings)
    behind = {difference.behind for standing in standings for difference in standing.differences}
    unbeaten = {standing.leader for standing in standings} - behind - {None}
    return unbeaten.pop() if len(unbeaten) == 1 else None


def _estimate(sample: Sample | None) -> Estimate:
    if sample is None or not sample.n:
        return Estimate()
    return Estimate(_value(sample), sample.n, _interval(sample, LEVEL))


def _value(sample: Sample) -> float:
    match sample:
        case Rated():
            return sample.successes / sample.n
        case Timed():
            middle = median(sample.seconds)
            assert middle is not None
            return middle
        case Scored():
            return fmean(sample.scores)


def _interval(sample: Sample, level: float) -> Interval | None:
    match sample:
        case Rated():
            return wilson(sample.successes, sample.n, level)
        case Timed():
            return median_interval(sample.seconds, level)
        case Scored():
            return mean_interval(sample.scores, SCALE, level)


def _difference(dimension: Dimension, one: Sample, other: Sample, level: float) -> Difference:
    match one, other:
        case Rated(), Rated():
            interval = newcombe(one.successes, one.n, other.successes, other.n, level)
        case Scored(), Scored():
            interval = welch(one.scores, other.scores, SCALE, level)
        case _:
            first, second = _interval(one, level), _interval(other, level)
            interval = first and second and Interval(first.low - second.high, first.high - second.low)
    # MIN_SAMPLE cases give an interval at the highest level that five agents need.
    assert interval is not None
    return Difference(
        dimension,
        one.agent,
        other.agent,
        _shown(_value(one) - _value(other)),
        Interval(_shown(interval.low), _shown(interval.high)),
        level,
    )


def _shown(value: float) -> float:
    # Adding 0.0 makes 0 of -0, which JSON would show as -0.0.
    return round(value, _DECIMALS) + 0.0


def _ranks(dimension: Dimension, estimates: Mapping[UUID, Estimate]) -> dict[UUID, int]:
    """Rank by the conservative end of the interval; the very same figure and interval share a rank."""
    placed = []
    for agent_id, estimate in estimates.items():
        if estimate.is_enough:
            assert estimate.interval is not None
            end = estimate.interval.high if lower_is_better(dimension) else -estimate.interval.low
            placed.append((end, agent_id, (estimate.value, estimate.interval)))
    placed.sort()
    figures = [figure for _, _, figure in placed]
    return {agent_id: figures.index(figure) + 1 for _, agent_id, figure in placed}
