"""Intervals for rates and medians, and when they decide who is first: pure, standard library only."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import atanh, ceil, exp, floor, hypot, log1p, pi, sqrt
from statistics import NormalDist
from typing import NamedTuple, TypeVar

# Up to this n the binomial tail is summed in whole numbers; above it, in floating point.
EXACT_RANKS_UP_TO = 1024

# Bounds the relative rounding error of that floating-point tail; up to n = 10 million 2e-14 was seen.
TAIL_ERROR = 1e-12

# Levels that differ by less are the same level, reached by another order of the same operations.
LEVEL_ERROR = 1e-9


class Interval(NamedTuple):
    """A closed interval, in the unit of what it was made from."""

    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Tell whether all of the interval lies on one side of 0."""
        return self.low > 0 or self.high < 0

    def overlaps(self, other: "Interval") -> bool:
        """Tell whether the two share a value; a common end counts."""
        return self.low <= other.high and other.low <= self.high


def wilson(successes: int, n: int, level: float = 0.95) -> Interval | None:
    """Give the score interval of a rate, within [0, 1]; None where there are no cases.

    No continuity correction. Raises ValueError for impossible counts and for a level outside (0, 1).
    Source: E. B. Wilson, JASA 22 (1927) 209-212.
    """
    _require_counts(successes, n)
    _require_level(level)
    return _wilson(successes, n, _two_sided_z(level)) if n else None


def newcombe(s1: int, n1: int, s2: int, n2: int, level: float = 0.95) -> Interval | None:
    """Give the interval of s1/n1 - s2/n2, within [-1, 1]; None where either has no cases.

    The hybrid of both Wilson intervals, no continuity correction. Raises ValueError as `wilson` does.
    Source: R. G. Newcombe, Statistics in Medicine 17 (1998) 873-890, method 10.
    """
    _require_counts(s1, n1)
    _require_counts(s2, n2)
    _require_level(level)
    if n1 == 0 or n2 == 0:
        return None
    z = _two_sided_z(level)
    p1, p2 = s1 / n1, s2 / n2
    one, two = _wilson(s1, n1, z), _wilson(s2, n2, z)
    difference = p1 - p2
    return Interval(
        max(-1.0, difference - hypot(p1 - one.low, two.high - p2)),
        min(1.0, difference + hypot(one.high - p1, p2 - two.low)),
    )


def quantile(sorted_values: Sequence[float], fraction: float) -> float | None:
    """Give the value at `fraction` of ascending values, None where there are none.

    Interpolates between neighbours by the formula of PostgreSQL's `percentile_cont` over double
    precision, so that SQL and Python agree. The order is the caller's promise and is not checked.
    Raises ValueError for a fraction outside [0, 1].
    """
    if not 0 <= fraction <= 1:
        raise ValueError(f"A quantile's fraction lies between 0 and 1, not at {fraction}.")
    if not sorted_values:
        return None
    place = fraction * (len(sorted_values) - 1)
    below = sorted_values[floor(place)]
    above = sorted_values[ceil(place)]
    # A place that is whole is not interpolated, as in PostgreSQL: inf - inf would be no number.
    if floor(place) == ceil(place):
        return float(below)
    return below + (place - floor(place)) * (above - below)


def median(sorted_values: Sequence[float]) -> float | None:
    """Give the middle of ascending values (see `quantile`), None where there are none."""
    return quantile(sorted_values, 0.5)


def median_interval(sorted_values: Sequence[float], level: float = 0.95) -> Interval | None:
    """Give the distribution-free interval of the median behind ascending values, in their unit.

    None where there are too few values for the level (see `median_interval_ranks`). The order is the
    caller's promise and is not checked.
    """
    ranks = median_interval_ranks(len(sorted_values), level)
    return Interval(sorted_values[ranks[0] - 1], sorted_values[ranks[1] - 1]) if ranks else None


def median_interval_ranks(n: int, level: float) -> tuple[int, int] | None:
    """Give the ranks, counted from 1, of the two sorted values between which the median lies.

    The innermost pair (d, n + 1 - d) whose coverage by Binomial(n, 1/2) is at least `level`; None
    where even (1, n) falls short, as with fewer than 6 values at 0.95. Coverage that comes nearer to
    the level than floating point can tell takes the wider pair, so `level` is always kept. Raises
    ValueError for a negative n and for a level outside (0, 1).
    Source: H. A. David and H. N. Nagaraja, Order Statistics, 3rd edition (2003), section 7.1.
    """
    if n < 0:
        raise ValueError(f"A number of values cannot be negative, as {n} is.")
    _require_level(level)
    d = _exact_depth(n, level) if n <= EXACT_RANKS_UP_TO else _approximate_depth(n, level)
    return (d, n + 1 - d) if d else None


def bonferroni_level(level: float, comparisons: int) -> float:
    """Give the level at which each of several intervals is made so that all hold together at `level`.

    Raises ValueError for fewer than 1 comparison and for a level outside (0, 1).
    """
    _require_level(level)
    if comparisons < 1:
        raise ValueError(f"A level is shared among at least 1 comparison, not {comparisons}.")
    return 1 - (1 - level) / comparisons


@dataclass(frozen=True, slots=True)
class RateSample:
    """The successes among the n cases of one candidate; impossible counts raise ValueError."""

    key: str
    successes: int
    n: int

    def __post_init__(self) -> None:
        _require_counts(self.successes, self.n)


@dataclass(frozen=True, slots=True)
class MedianSample:
    """The interval of one candidate's median over n values, and the level it was made at.

    Its two ends are the values at `median_interval_ranks(n, level)`, in any unit that all samples
    share, or it is None where those ranks are. Raises ValueError where n cannot bear the interval.
    """

    key: str
    n: int
    level: float
    interval: Interval | None

    def __post_init__(self) -> None:
        if median_interval_ranks(self.n, self.level) is None and self.interval is not None:
            raise ValueError(f"{self.n} values of {self.key} give no median interval at level {self.level}.")


Sample = TypeVar("Sample", RateSample, MedianSample)


def first_is_decisive_by_rate(samples: Sequence[RateSample], *, first: str, level: float = 0.95) -> bool:
    """Tell whether the rate of `first` is above that of every other, all comparisons taken together.

    So it is when each Newcombe interval of first minus other lies above 0 at
    `bonferroni_level(level, len(samples) - 1)`. A candidate alone is not decisive: it was compared
    with nobody. Nor is anything beside a candidate without cases. Raises ValueError when `first` is
    missing or a key stands twice.
    """
    leader, others = _leader_and_others(samples, first, level)
    if not others:
        return False
    adjusted = bonferroni_level(level, len(others))
    differences = (newcombe(leader.successes, leader.n, other.successes, other.n, adjusted) for other in others)
    return all(difference is not None and difference.low > 0 for difference in differences)


def first_is_decisive_by_median(samples: Sequence[MedianSample], *, first: str, level: float = 0.95) -> bool:
    """Tell whether the median of `first` is below (better than) that of every other, taken together.

    So it is when its interval ends before each other begins, all of them made at
    `bonferroni_level(level, len(samples) - 1)` or above. A candidate alone is not decisive: it was
    compared with nobody. Nor is anything beside a sample without an interval. Raises ValueError for
    an interval made at a lower level, and when `first` is missing or a key stands twice.
    """
    leader, others = _leader_and_others(samples, first, level)
    if not others:
        return False
    adjusted = bonferroni_level(level, len(others))
    for sample in samples:
        if sample.level < adjusted - LEVEL_ERROR:
            raise ValueError(f"The interval of {sample.key} is at level {sample.level}; {adjusted} is needed.")
    best = leader.interval
    return best is not None and all(other.interval is not None and best.high < other.interval.low for other in others)


def _require_counts(successes: int, n: int) -> None:
    if not 0 <= successes <= n:
        raise ValueError(f"Successes lie between 0 and the number of cases, not at {successes} of {n}.")


def _require_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"A confidence level lies between 0 and 1, both excluded, not at {level}.")


def _two_sided_z(level: float) -> float:
    # By the lower tail: 0.5 + level / 2 rounds to 1 for levels next to 1.
    return abs(NormalDist().inv_cdf((1 - level) / 2))


def _wilson(successes: int, n: int, z: float) -> Interval:
    p = successes / n
    shrink = 1 + z * z / n
    centre = (p + z * z / (2 * n)) / shrink
    half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / shrink
    # In real numbers the rate lies inside, and 0 and n successes reach 0 and 1; rounding must not undo it.
    return Interval(max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half)))


def _leader_and_others(samples: Sequence[Sample], first: str, level: float) -> tuple[Sample, list[Sample]]:
    _require_level(level)
    by_key = {sample.key: sample for sample in samples}
    if len(by_key) < len(samples):
        raise ValueError("Every sample needs a key of its own.")
    if first not in by_key:
        raise ValueError(f"The first, {first}, is not among the samples.")
    return by_key.pop(first), list(by_key.values())


def _exact_depth(n: int, level: float) -> int:
    """Count how far in from both ends the ranks may go, by sums of binomial coefficients; 0 for nowhere."""
    numerator, denominator = level.as_integer_ratio()
    # Coverage of depth d is 1 - 2 P(X < d); in units of 2^-n, and times the denominator, nothing rounds.
    allowed = (denominator - numerator) << n
    d, term, tail = 0, 1, 1
    while 2 * tail * denominator <= allowed:
        d += 1
        term = term * (n + 1 - d) // d
        tail += term
    return d


def _approximate_depth(n: int, level: float) -> int:
    """Do as `_exact_depth` in the time of sqrt(n): one tail beside the answer, then step by step to it."""
    allowed = (1 - level) / 2 * (1 - TAIL_ERROR)
    k = floor((n - 1 + NormalDist().inv_cdf(allowed) * sqrt(n)) / 2)
    mass = _half_binomial_mass(n, k)
    tail = _tail_up_to(n, k, mass)
    while tail > allowed:
        tail -= mass
        mass *= k / (n - k + 1)
        k -= 1
    while tail + (following := mass * (n - k) / (k + 1)) <= allowed:
        k += 1
        mass = following
        tail += mass
    return k + 1


def _tail_up_to(n: int, k: int, mass: float) -> float:
    """Sum P(X = k), P(X = k - 1), ... for X ~ Binomial(n, 1/2) and k <= n/2 until terms no longer count."""
    tail = 0.0
    while mass > tail * 1e-18:
        tail += mass
        mass *= k / (n - k + 1)
        k -= 1
    return tail


def _half_binomial_mass(n: int, k: int) -> float:
    """Give P(X = k) for X ~ Binomial(n, 1/2), for large k and n - k.

    By Stirling's series and the deviance rather than lgamma, whose rounding of numbers near 1e8 would
    leave 8 digits. Source: C. Loader, Fast and Accurate Computation of Binomial Probabilities (2000).
    """
    t = (n - 2 * k) / n
    deviance = n / 2 * (log1p(-t * t) + 2 * t * atanh(t))
    correction = _stirling_error(n) - _stirling_error(k) - _stirling_error(n - k)
    return sqrt(n / (2 * pi * k * (n - k))) * exp(correction - deviance)


def _stirling_error(n: int) -> float:
    """Give log(n!) less Stirling's formula, to 1e-15 for n > 300."""
    return (1 / 12 - 1 / (360 * n * n)) / n
