"""Intervals for means of bounded scores and for their differences: pure, standard library only.

Where values do not vary at all, Student's t would call the mean certain; the interval then is the one that
a bound on the share of unseen other values leaves.
"""

from collections.abc import Sequence
from math import exp, lgamma, log, log1p, sqrt
from statistics import fmean, variance

from handlers.statistics import Interval

# Lentz's continued fraction stops when a step changes less than this, bisection when an interval is this narrow.
_PRECISION = 1e-15
_TINY = 1e-300


def mean_interval(values: Sequence[float], most: float, level: float = 0.95) -> Interval | None:
    """Give Student's t interval of the mean behind values from 0 to *most*, within these; None without values.

    For values that are all the same: whatever else there is has at most a share of 1 - (1 - level)^(1/n),
    or n cases would have shown it.
    """
    if not values:
        return None
    mean = fmean(values)
    if not _vary(values):
        unseen = 1 - (1 - level) ** (1 / len(values))
        return Interval(mean * (1 - unseen), mean + unseen * (most - mean))
    half = t_quantile(level, len(values) - 1) * sqrt(variance(values) / len(values))
    return Interval(max(0.0, mean - half), min(most, mean + half))


def welch(one: Sequence[float], other: Sequence[float], most: float, level: float = 0.95) -> Interval | None:
    """Give Welch's t interval of the mean of *one* less that of *other*, both from 0 to *most*; None without values.

    Where either does not vary, the interval of one less that of the other.
    Source: B. L. Welch, Biometrika 34 (1947) 28-35.
    """
    if not (_vary(one) and _vary(other)):
        first, second = mean_interval(one, most, level), mean_interval(other, most, level)
        return first and second and Interval(first.low - second.high, first.high - second.low)
    a, b = variance(one) / len(one), variance(other) / len(other)
    freedom = (a + b) ** 2 / (a * a / (len(one) - 1) + b * b / (len(other) - 1))
    difference, half = fmean(one) - fmean(other), t_quantile(level, freedom) * sqrt(a + b)
    return Interval(max(-most, difference - half), min(most, difference + half))


def t_quantile(level: float, freedom: float) -> float:
    """Give the t beyond which, on both sides together, lies 1 - *level* of Student's distribution."""
    low, high = 0.0, 1.0
    while _beyond(high, freedom) > 1 - level:
        low, high = high, 2 * high
    while high - low > _PRECISION * high and low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if _beyond(middle, freedom) > 1 - level else (low, middle)
    return high


def _vary(values: Sequence[float]) -> bool:
    return len(values) > 1 and variance(values) > 0


def _beyond(t: float, freedom: float) -> float:
    """Give P(|T| > t): the regularized incomplete beta function of (freedom / 2, 1 / 2) at freedom / (freedom + t²)."""
    a, b, x, rest = freedom / 2, 0.5, freedom / (freedom + t * t), t * t / (freedom + t * t)
    # The fraction converges fast on this side of the mean, and the function mirrors itself on the other.
    if x < (a + 1) / (a + b + 2):
        return _front(a, b, x, rest) * _fraction(a, b, x) / a
    return 1 - _front(b, a, rest, x) * _fraction(b, a, rest) / b


def _front(a: float, b: float, x: float, rest: float) -> float:
    """Give x^a (1 - x)^b / B(a, b), where *rest* is 1 - x, known better than by subtracting."""
    log_x = log1p(-rest) if rest < 0.5 else log(x)
    return exp(a * log_x + b * log(rest) + lgamma(a + b) - lgamma(a) - lgamma(b))


def _fraction(a: float, b: float, x: float) -> float:
    """Give the continued fraction of the incomplete beta function by Lentz's method.

    Source: NIST Digital Library of Mathematical Functions, 8.17.22.
    """
    c, d = 1.0, 1 / _nonzero(1 - (a + b) * x / (a + 1))
    value, m, step = d, 0, 0.0
    while abs(step - 1) > _PRECISION and m < 10_000:
        m += 1
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            c, d = _nonzero(1 + term / c), 1 / _nonzero(1 + term * d)
            step = c * d
            value *= step
    return value


def _nonzero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
