"""The intervals of means against scipy and statsmodels, and what holds where values do not vary."""

from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t as student
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from handlers.means import mean_interval, t_quantile, welch
from handlers.statistics import Interval

MOST = 10.0
# Scores as judges give them: some repeat, some do not.
scores = st.lists(st.integers(0, 100).map(lambda tenth: tenth / 10), min_size=2, max_size=60)
varied = scores.filter(lambda values: len(set(values)) > 1)
levels = st.sampled_from([0.5, 0.9, 0.95, 1 - 0.05 / 3, 0.995])


def clipped(interval: tuple[float, float], least: float) -> Interval:
    return Interval(max(least, interval[0]), min(MOST, interval[1]))


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95, 1 - 0.05 / 3, 0.995, 0.9999])
@pytest.mark.parametrize("freedom", [1, 1.3, 2, 5, 9.7, 18, 100, 499.5, 998, 10_000])
def test_quantiles_of_student_agree_with_scipy(freedom: float, level: float) -> None:
    assert t_quantile(level, freedom) == pytest.approx(student.ppf(0.5 + level / 2, freedom), rel=1e-9)


@given(varied, levels)
def test_the_interval_of_a_mean_agrees_with_statsmodels(values: list[float], level: float) -> None:
    expected = clipped(DescrStatsW(values).tconfint_mean(alpha=1 - level), least=0)

    assert mean_interval(values, MOST, level) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(varied, varied, levels)
def test_the_interval_of_a_difference_agrees_with_statsmodels(
    one: list[float], other: list[float], level: float
) -> None:
    means = CompareMeans(DescrStatsW(one), DescrStatsW(other))
    expected = clipped(means.tconfint_diff(alpha=1 - level, usevar="unequal"), least=-MOST)

    assert welch(one, other, MOST, level) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(scores, scores, levels)
def test_the_difference_the_other_way_round_is_the_mirror_image(
    one: list[float], other: list[float], level: float
) -> None:
    there, back = welch(one, other, MOST, level), welch(other, one, MOST, level)

    assert there is not None and back is not None
    assert there == pytest.approx((-back.high, -back.low), abs=1e-12)


@given(scores, levels)
def test_an_interval_holds_its_mean_and_stays_on_the_scale(values: list[float], level: float) -> None:
    interval = mean_interval(values, MOST, level)

    assert interval is not None
    assert 0 <= interval.low <= fmean(values) + 1e-12 and fmean(values) - 1e-12 <= interval.high <= MOST


@pytest.mark.parametrize("score", [0.0, 3.5, 10.0])
@pytest.mark.parametrize("n", [1, 2, 10, 50])
def test_equal_scores_leave_room_for_what_was_not_seen(n: int, score: float) -> None:
    """Of all populations that show n equal scores with 5 % chance or more, the interval holds every mean."""
    interval = mean_interval([score] * n, MOST)
    shares = np.linspace(0, 1, 2001)
    possible = shares[(1 - shares) ** n >= 0.05]
    means = [(1 - share) * score + share * other for share in possible for other in (0, MOST)]

    assert interval is not None
    assert interval.low <= min(means) + 1e-9 and max(means) - 1e-9 <= interval.high
    assert interval == pytest.approx((min(means), max(means)), abs=MOST / 1000)


def test_ten_equal_scores_against_ten_slightly_better_ones_decide_nothing() -> None:
    """Welch's interval would have no width at all."""
    interval = welch([9.0] * 10, [9.1] * 10, MOST)

    assert interval is not None and not interval.excludes_zero


def test_without_scores_there_is_no_interval() -> None:
    assert mean_interval([], MOST) is None
    assert welch([], [1.0, 2.0], MOST) is None
    assert welch([1.0, 2.0], [], MOST) is None
