"""Who is first, and whether the numbers decide it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar
from uuid import UUID

from handlers.statistics import (
    Interval,
    MedianSample,
    RateSample,
    bonferroni_level,
    first_is_decisive_by_median,
    first_is_decisive_by_rate,
    median,
    median_interval,
    quantile,
    wilson,
)

# Below this many cases no interval says anything worth ranking.
MIN_SAMPLE = 10
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Agent:
    """Somebody whom figures are about."""

    agent_id: UUID
    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Rated:
    """An agent's share of successes."""

    agent: Agent
    successes: int
    n: int


@dataclass(frozen=True, slots=True)
class Timed:
    """An agent's response times in seconds, sorted; and of them the first ones of a conversation."""

    agent: Agent
    seconds: Sequence[float]
    first_seconds: Sequence[float]

    @property
    def n(self) -> int:
        """Return how many there are."""
        return len(self.seconds)


Sample = TypeVar("Sample", Rated, Timed)


@dataclass(frozen=True, slots=True)
class Place:
    """An agent's place in a ranking; those with the very same figure and interval share it."""

    rank: int
    agent: Agent
    value: float
    interval: Interval
    n: int
    tied_with: tuple[UUID, ...] = ()
    p90: float | None = None
    first_median: float | None = None
    first_n: int | None = None


@dataclass(frozen=True, slots=True)
class Ranking:
    """Places in order, whom it leaves out and why, and whether the first place is decided."""

    direction: Literal["higher_is_better", "lower_is_better"]
    places: list[Place]
    excluded: list[tuple[Agent, str]]
    decisive: bool


def rank_rates(samples: Sequence[Rated]) -> Ranking:
    """Rank by the lower end of the Wilson interval, so that three lucky cases do not win."""
    eligible, excluded = _eligible(samples)
    placed = []
    for sample in eligible:
        interval = wilson(sample.successes, sample.n, LEVEL)
        assert interval is not None
        placed.append(Place(0, sample.agent, sample.successes / sample.n, interval, sample.n))
    placed.sort(key=lambda place: (-place.interval.low, place.agent.agent_id))
    rates = [RateSample(str(sample.agent.agent_id), sample.successes, sample.n) for sample in eligible]
    decisive = bool(placed) and first_is_decisive_by_rate(rates, first=str(placed[0].agent.agent_id), level=LEVEL)
    return Ranking("higher_is_better", _numbered(placed), excluded, decisive)


def rank_medians(samples: Sequence[Timed]) -> Ranking:
    """Rank by the upper end of the median's interval, since shorter is better."""
    eligible, excluded = _eligible(samples)
    placed = []
    for sample in eligible:
        interval, middle = median_interval(sample.seconds, LEVEL), median(sample.seconds)
        assert interval is not None
        assert middle is not None
        placed.append(
            Place(
                0,
                sample.agent,
                middle,
                interval,
                sample.n,
                p90=quantile(sample.seconds, 0.9),
                first_median=median(sample.first_seconds),
                first_n=len(sample.first_seconds),
            )
        )
    placed.sort(key=lambda place: (place.interval.high, place.agent.agent_id))
    return Ranking("lower_is_better", _numbered(placed), excluded, _decided(eligible, placed))


def _decided(eligible: Sequence[Timed], placed: Sequence[Place]) -> bool:
    if len(placed) < 2:
        return False
    level = bonferroni_level(LEVEL, len(placed) - 1)
    medians = [
        MedianSample(str(sample.agent.agent_id), sample.n, level, median_interval(sample.seconds, level))
        for sample in eligible
    ]
    return first_is_decisive_by_median(medians, first=str(placed[0].agent.agent_id), level=LEVEL)


def _eligible(samples: Sequence[Sample]) -> tuple[list[Sample], list[tuple[Agent, str]]]:
    eligible = [sample for sample in samples if sample.n >= MIN_SAMPLE]
    few = sorted((sample for sample in samples if sample.n < MIN_SAMPLE), key=lambda sample: sample.agent.agent_id)
    return eligible, [(sample.agent, f"only {sample.n} cases; at least {MIN_SAMPLE} are needed") for sample in few]


def _numbered(placed: list[Place]) -> list[Place]:
    """Number the places; agents with the very same figure and interval share one."""
    figures = [(place.value, place.interval) for place in placed]
    return [
        replace(
            place,
            rank=figures.index(figure) + 1,
            tied_with=tuple(
                other.agent.agent_id
                for other, same in zip(placed, figures, strict=True)
                if same == figure and other is not place
            ),
        )
        for place, figure in zip(placed, figures, strict=True)
    ]
