"""The intervals against published tables, independent implementations, and the laws they obey."""

import tracemalloc
from fractions import Fraction
from math import comb, inf
from time import thread_time

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest
from statsmodels.stats.proportion import confint_proportions_2indep

from handlers import statistics
from handlers.statistics import (
    Interval,
    MedianSample,
    RateSample,
    bonferroni_level,
    first_is_decisive_by_median,
    first_is_decisive_by_rate,
    median,
    median_interval,
    median_interval_ranks,
    newcombe,
    quantile,
    wilson,
)

# A busy machine is no failure.
unhurried = settings(deadline=None)

levels = st.floats(0.01, 0.999)
rates = st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
ascending = st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=60).map(sorted)

ROUNDING = 1e-12


def sure(interval: Interval | None) -> Interval:
    assert interval is not None
    return interval


def width(interval: Interval | None) -> float:
    return sure(interval).high - sure(interval).low


# Interval


@pytest.mark.parametrize(
    ("excludes", "interval"),
    [
        (True, Interval(0.1, 0.2)),
        (True, Interval(-0.2, -0.1)),
        (False, Interval(-0.1, 0.1)),
        (False, Interval(0.0, 0.1)),
        (False, Interval(-0.1, 0.0)),
    ],
)
def test_an_interval_that_ends_at_zero_does_not_exclude_it(excludes: bool, interval: Interval) -> None:
    assert excludes == interval.excludes_zero


@pytest.mark.parametrize(
    ("overlap", "one", "other"),
    [
        (True, Interval(1, 3), Interval(2, 4)),
        (True, Interval(1, 4), Interval(2, 3)),
        (True, Interval(1, 2), Interval(2, 3)),
        (False, Interval(1, 2), Interval(3, 4)),
    ],
)
def test_intervals_that_share_a_value_overlap_whichever_is_asked(overlap: bool, one: Interval, other: Interval) -> None:
    assert overlap == one.overlaps(other) == other.overlaps(one)


# Wilson


@pytest.mark.parametrize(
    ("low", "high", "successes", "n"),
    [
        (0.3006, 0.9544, 3, 4),
        (0.5020, 0.6906, 60, 100),
        (0.3424, 1.0, 2, 2),
        (0.0, 0.4345, 0, 5),
        # Examples of Newcombe's paper on single proportions (1998), its method 3.
        (0.2553, 0.3662, 81, 263),
        (0.0624, 0.1605, 15, 148),
        (0.0, 0.1611, 0, 20),
        (0.0061, 0.1718, 1, 29),
    ],
)
def test_wilson_gives_the_known_values(low: float, high: float, successes: int, n: int) -> None:
    assert pytest.approx((low, high), abs=5e-5) == wilson(successes, n)


@pytest.mark.parametrize("level", [0.5, 0.95, 0.9999])
def test_wilson_agrees_with_scipy(level: float) -> None:
    for n in (1, 2, 3, 7, 30, 1000, 1_000_000):
        for successes in {0, 1, n // 3, n // 2, n - 1, n}:
            oracle = binomtest(successes, n).proportion_ci(level, method="wilson")
            expected = pytest.approx((oracle.low, oracle.high), rel=1e-9, abs=ROUNDING)
            assert expected == wilson(successes, n, level)


def test_a_rate_without_cases_has_no_interval() -> None:
    assert wilson(0, 0) is None


@unhurried
@given(st.integers(1, 10**12), levels)
def test_none_and_all_reach_zero_and_one_exactly(n: int, level: float) -> None:
    assert sure(wilson(0, n, level)).low == 0.0
    assert sure(wilson(n, n, level)).high == 1.0


@unhurried
@given(rates, levels)
def test_wilson_holds_the_rate_and_stays_among_rates(rate: tuple[int, int], level: float) -> None:
    low, high = sure(wilson(*rate, level))

    assert 0 <= low <= rate[0] / rate[1] <= high <= 1


@unhurried
@given(rates, levels, levels)
def test_wilson_widens_with_the_level(rate: tuple[int, int], one: float, other: float) -> None:
    inner, outer = sure(wilson(*rate, min(one, other))), sure(wilson(*rate, max(one, other)))

    assert outer.low <= inner.low + ROUNDING
    assert inner.high <= outer.high + ROUNDING


@unhurried
@given(rates, st.integers(2, 50), levels)
def test_wilson_narrows_with_more_cases_at_the_same_rate(rate: tuple[int, int], times: int, level: float) -> None:
    successes, n = rate

    assert width(wilson(times * successes, times * n, level)) < width(wilson(successes, n, level))


@unhurried
@given(rates, levels)
def test_wilson_of_failures_mirrors_that_of_successes(rate: tuple[int, int], level: float) -> None:
    successes, n = rate
    low, high = sure(wilson(successes, n, level))

    assert pytest.approx((1 - high, 1 - low), abs=ROUNDING) == wilson(n - successes, n, level)


# Newcombe


@pytest.mark.parametrize(
    ("low", "high", "counts"),
    [
        # The eight examples of Newcombe's paper on differences (1998), its method 10.
        (0.0524, 0.3339, (56, 70, 48, 80)),
        (0.1705, 0.8090, (9, 10, 3, 10)),
        (0.0582, 0.8062, (6, 7, 2, 7)),
        (-0.0381, 0.1926, (5, 56, 0, 29)),
        (-0.1611, 0.2775, (0, 10, 0, 20)),
        (-0.2775, 0.2775, (0, 10, 0, 10)),
        (0.6791, 1.0, (10, 10, 0, 20)),
        (0.6075, 1.0, (10, 10, 0, 10)),
    ],
)
def test_newcombe_gives_the_published_values(low: float, high: float, counts: tuple[int, int, int, int]) -> None:
    assert pytest.approx((low, high), abs=5.1e-5) == newcombe(*counts)


@pytest.mark.parametrize("level", [0.5, 0.95, 0.9999])
def test_newcombe_agrees_with_statsmodels(level: float) -> None:
    some = [(0, 1), (1, 1), (3, 4), (0, 20), (20, 20), (60, 100), (1, 5000), (123_456, 1_000_000)]
    for one in some:
        for two in some:
            oracle = confint_proportions_2indep(*one, *two, compare="diff", method="newcomb", alpha=1 - level)
            assert pytest.approx(oracle, abs=1e-9) == newcombe(*one, *two, level)


def test_three_of_four_is_not_better_than_sixty_of_a_hundred() -> None:
    assert not sure(newcombe(3, 4, 60, 100)).excludes_zero


def test_a_difference_to_a_rate_without_cases_has_no_interval() -> None:
    assert newcombe(0, 0, 1, 2) is None
    assert newcombe(1, 2, 0, 0) is None


@unhurried
@given(rates, rates, levels)
def test_newcombe_holds_the_difference_and_stays_among_differences(
    one: tuple[int, int], two: tuple[int, int], level: float
) -> None:
    low, high = sure(newcombe(*one, *two, level))

    assert -1 <= low <= one[0] / one[1] - two[0] / two[1] <= high <= 1


@unhurried
@given(rates, rates, levels)
def test_newcombe_changes_sign_when_the_two_change_places(
    one: tuple[int, int], two: tuple[int, int], level: float
) -> None:
    low, high = sure(newcombe(*one, *two, level))

    assert pytest.approx((-high, -low), abs=ROUNDING) == newcombe(*two, *one, level)


@unhurried
@given(rates, rates, levels, levels)
def test_newcombe_widens_with_the_level(one: tuple[int, int], two: tuple[int, int], level: float, other: float) -> None:
    inner = sure(newcombe(*one, *two, min(level, other)))
    outer = sure(newcombe(*one, *two, max(level, other)))

    assert outer.low <= inner.low + ROUNDING
    assert inner.high <= outer.high + ROUNDING


@unhurried
@given(rates, rates, st.integers(2, 50))
def test_newcombe_narrows_with_more_cases_at_the_same_rates(
    one: tuple[int, int], two: tuple[int, int], times: int
) -> None:
    (s1, n1), (s2, n2) = one, two

    assert width(newcombe(times * s1, times * n1, times * s2, times * n2)) < width(newcombe(s1, n1, s2, n2))


# Quantiles


def test_quantiles_lie_between_neighbours_as_percentile_cont_puts_them() -> None:
    assert quantile([1, 2, 4, 8], 0.5) == median([1, 2, 4, 8]) == 3.0
    assert quantile([1, 2, 4, 8], 0.9) == pytest.approx(6.8)
    assert quantile([10], 0.9) == 10.0


def test_no_values_have_no_quantile() -> None:
    assert quantile([], 0.9) is None
    assert median([]) is None


def test_an_endless_value_is_a_quantile_and_no_nan() -> None:
    assert median([1, inf, inf]) == inf


@unhurried
@given(ascending, st.floats(0, 1))
def test_quantiles_agree_with_numpy(values: list[float], fraction: float) -> None:
    expected = float(np.percentile(values, 100 * fraction))

    assert pytest.approx(expected, rel=1e-9, abs=1e-3) == quantile(values, fraction)


@unhurried
@given(ascending, st.floats(0, 1))
def test_quantiles_lie_within_the_values(values: list[float], fraction: float) -> None:
    found = quantile(values, fraction)

    assert found is not None
    assert values[0] - 1e-6 <= found <= values[-1] + 1e-6


# Ranks of the median's interval


def exact_coverage(n: int, d: int) -> Fraction:
    return 1 - Fraction(2 * sum(comb(n, i) for i in range(d)), 2**n)


@pytest.mark.parametrize(
    ("ranks", "n"),
    [
        ((1, 6), 6),
        ((1, 8), 8),
        ((2, 8), 9),
        ((2, 9), 10),
        ((6, 15), 20),
        ((10, 21), 30),
        ((18, 33), 50),
        ((40, 61), 100),
    ],
)
def test_ranks_are_those_of_the_published_tables(ranks: tuple[int, int], n: int) -> None:
    assert ranks == median_interval_ranks(n, 0.95)


@pytest.mark.parametrize(("fewest", "level"), [(2, 0.5), (5, 0.9), (6, 0.95), (8, 0.99), (9, 0.995)])
def test_too_few_values_for_the_level_give_no_interval(fewest: int, level: float) -> None:
    assert [None] * fewest == [median_interval_ranks(n, level) for n in range(fewest)]
    assert median_interval_ranks(fewest, level) == (1, fewest)


@unhurried
@given(st.integers(0, 700), st.floats(1e-6, 1 - 1e-15))
def test_ranks_are_symmetric_and_the_innermost_that_keep_the_level(n: int, level: float) -> None:
    ranks = median_interval_ranks(n, level)
    d = ranks[0] if ranks else 0

    assert ranks in (None, (d, n + 1 - d))
    assert d == 0 or exact_coverage(n, d) >= Fraction(level)
    assert exact_coverage(n, d + 1) < Fraction(level)


@pytest.mark.parametrize("level", [0.001, 0.5, 0.95, 0.9875, 1 - 1e-9])
def test_scipy_finds_the_level_kept_and_the_next_narrower_ranks_short_of_it(level: float) -> None:
    for n in (1023, 1024, 1025, 1026, 5000, 99_999, 1_000_000, 9_999_999, 10_000_000):
        low, high = median_interval_ranks(n, level) or (0, 0)

        assert low + high == n + 1
        assert 2 * binom.cdf(low - 1, n, 0.5) <= 1 - level < 2 * binom.cdf(low, n, 0.5)


@pytest.mark.parametrize("level", [0.05, 0.5, 0.95, 0.99, 1 - 1e-12])
def test_both_ways_to_the_ranks_agree_where_they_meet(level: float) -> None:
    for n in range(statistics.EXACT_RANKS_UP_TO, statistics.EXACT_RANKS_UP_TO + 100):
        assert statistics._exact_depth(n, level) == statistics._approximate_depth(n, level)


@pytest.mark.parametrize("n", [5, 20, 1024, 1025, 1500])
def test_a_level_that_is_a_coverage_to_the_last_bit_is_kept(n: int) -> None:
    for d in range(max(1, n // 2 - 60), n // 2, 5):
        level = float(exact_coverage(n, d))
        if 0 < level < 1:
            low, _ = median_interval_ranks(n, level) or (0, 0)
            assert low in (d - 1, d)
            assert low == 0 or exact_coverage(n, low) >= Fraction(level)


def test_a_coverage_equal_to_the_level_suffices() -> None:
    # Five values: 1 - 2 / 2**5, which a float holds exactly.
    assert median_interval_ranks(5, 0.9375) == (1, 5)
    assert median_interval_ranks(5, float(np.nextafter(0.9375, 1))) is None


def test_ranks_among_ten_million_take_less_than_five_milliseconds_and_no_memory() -> None:
    times = []
    for level in (0.5, 0.95, 0.99) * 2:
        start = thread_time()
        median_interval_ranks(10_000_000, level)
        times.append(thread_time() - start)
    tracemalloc.start()
    median_interval_ranks(10_000_000, 0.95)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert min(times) < 0.005
    assert peak < 20_000


@unhurried
@given(ascending, levels)
def test_the_medians_interval_is_two_of_the_values_and_holds_the_median(values: list[float], level: float) -> None:
    interval, middle = median_interval(values, level), median(values)
    assume(interval is not None and middle is not None)
    low, high = sure(interval)

    assert {low, high} <= set(values)
    assert middle is not None
    assert low - 1e-6 <= middle <= high + 1e-6


@unhurried
@given(st.integers(1, 5000), levels, levels)
def test_the_medians_ranks_widen_with_the_level(n: int, one: float, other: float) -> None:
    inner, outer = median_interval_ranks(n, min(one, other)), median_interval_ranks(n, max(one, other))

    assert outer is None or (inner is not None and outer[0] <= inner[0])


@unhurried
@given(st.integers(2, 5000), levels)
def test_the_medians_ranks_take_a_smaller_share_of_four_times_the_values(n: int, level: float) -> None:
    few, many = median_interval_ranks(n, level), median_interval_ranks(4 * n, level)
    assume(few is not None)

    assert few is not None
    assert many is not None
    assert (many[1] - many[0]) / (4 * n) < (few[1] - few[0]) / n


# Several comparisons


def test_a_level_is_shared_among_the_comparisons() -> None:
    assert bonferroni_level(0.95, 1) == 0.95
    assert bonferroni_level(0.95, 4) == pytest.approx(0.9875)


ANA = RateSample("ana", 90, 100)
BIA = RateSample("bia", 60, 100)
CAIO = RateSample("caio", 79, 100)


def test_a_clearly_higher_rate_is_decisive_and_the_lower_is_not() -> None:
    assert first_is_decisive_by_rate([BIA, ANA], first="ana")
    assert not first_is_decisive_by_rate([BIA, ANA], first="bia")


def test_a_higher_rate_of_few_cases_is_not_decisive() -> None:
    assert not first_is_decisive_by_rate([RateSample("dora", 3, 4), BIA], first="dora")


def test_more_candidates_ask_for_more() -> None:
    # 90 against 79 of 100 decides between two; among three or more the same numbers do not.
    assert first_is_decisive_by_rate([ANA, CAIO], first="ana")
    assert not first_is_decisive_by_rate([ANA, CAIO, BIA], first="ana")
    assert first_is_decisive_by_rate([ANA, CAIO, BIA], first="ana", level=0.9)


def test_one_rival_within_reach_is_enough_to_be_undecided() -> None:
    assert not first_is_decisive_by_rate([ANA, BIA, RateSample("eva", 88, 100)], first="ana")


def test_a_rate_alone_or_beside_one_without_cases_is_not_decisive() -> None:
    assert not first_is_decisive_by_rate([ANA], first="ana")
    assert not first_is_decisive_by_rate([ANA, RateSample("eva", 0, 0)], first="ana")
    assert not first_is_decisive_by_rate([ANA, RateSample("eva", 0, 0)], first="eva")


@unhurried
@given(st.lists(rates, min_size=2, max_size=6), levels)
def test_at_most_one_rate_is_decisive_and_then_it_is_the_highest(counts: list[tuple[int, int]], level: float) -> None:
    samples = [RateSample(str(place), *rate) for place, rate in enumerate(counts)]
    decisive = [s for s in samples if first_is_decisive_by_rate(samples, first=s.key, level=level)]

    assert decisive in ([], [max(samples, key=lambda s: s.successes / s.n)])


def waits(key: str, low: float, high: float, level: float = 0.95) -> MedianSample:
    return MedianSample(key, 50, level, Interval(low, high))


def test_the_shorter_wait_is_decisive_only_when_the_intervals_lie_apart() -> None:
    assert first_is_decisive_by_median([waits("bia", 21, 30), waits("ana", 10, 20)], first="ana")
    assert not first_is_decisive_by_median([waits("bia", 21, 30), waits("ana", 10, 20)], first="bia")
    assert not first_is_decisive_by_median([waits("ana", 10, 20), waits("bia", 20, 30)], first="ana")


def test_every_other_wait_must_lie_apart() -> None:
    three = [waits("ana", 10, 20, 0.975), waits("bia", 25, 30, 0.975), waits("caio", 19, 40, 0.975)]

    assert not first_is_decisive_by_median(three, first="ana")
    assert first_is_decisive_by_median([*three[:2], waits("caio", 21, 40, 0.975)], first="ana")


def test_a_wait_alone_or_without_an_interval_is_not_decisive() -> None:
    unknown = MedianSample("eva", 3, 0.95, None)

    assert not first_is_decisive_by_median([waits("ana", 10, 20)], first="ana")
    assert not first_is_decisive_by_median([waits("ana", 10, 20), unknown], first="ana")
    assert not first_is_decisive_by_median([waits("ana", 10, 20), unknown], first="eva")


def test_intervals_made_for_fewer_comparisons_are_refused() -> None:
    three = [waits(key, 10, 20) for key in ("ana", "bia", "caio")]

    with pytest.raises(ValueError, match=r"ana is at level 0\.95; 0\.975 is needed\.$"):
        first_is_decisive_by_median(three, first="ana")


def test_intervals_at_the_level_written_another_way_or_above_it_are_taken() -> None:
    for level in ((9 - 0.05) / 9, bonferroni_level(0.95, 9), 0.9999):
        ten = [waits(str(place), 10 * place, 10 * place + 9, level) for place in range(10)]
        assert first_is_decisive_by_median(ten, first="0")


# Refusals


@pytest.mark.parametrize("level", [0, 1, -0.5, 95, float("nan")])
def test_a_level_outside_zero_to_one_is_refused(level: float) -> None:
    for refused in (
        lambda: wilson(1, 2, level),
        lambda: newcombe(1, 2, 1, 2, level),
        lambda: median_interval([1, 2], level),
        lambda: median_interval_ranks(0, level),
        lambda: bonferroni_level(level, 2),
        lambda: first_is_decisive_by_rate([ANA], first="ana", level=level),
        lambda: first_is_decisive_by_median([waits("ana", 1, 2)], first="ana", level=level),
        lambda: MedianSample("ana", 3, level, None),
    ):
        with pytest.raises(ValueError, match=r"^A confidence level lies between 0 and 1, .*\.$"):
            refused()


@pytest.mark.parametrize(("successes", "n"), [(3, 2), (-1, 2), (0, -1), (-2, -1)])
def test_impossible_counts_are_refused(successes: int, n: int) -> None:
    for refused in (
        lambda: wilson(successes, n),
        lambda: newcombe(successes, n, 1, 2),
        lambda: newcombe(1, 2, successes, n),
        lambda: RateSample("ana", successes, n),
    ):
        with pytest.raises(ValueError, match=r"^Successes lie between 0 and the number of cases, .*\.$"):
            refused()


def test_other_impossible_arguments_are_refused_with_a_sentence() -> None:
    with pytest.raises(ValueError, match=r"cannot be negative, as -1 is\.$"):
        median_interval_ranks(-1, 0.95)
    with pytest.raises(ValueError, match=r"at least 1 comparison, not 0\.$"):
        bonferroni_level(0.95, 0)
    for fraction in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match=r"^A quantile's fraction lies between 0 and 1, .*\.$"):
            quantile([1], fraction)
    with pytest.raises(ValueError, match=r"^5 values of ana give no median interval at level 0\.95\.$"):
        MedianSample("ana", 5, 0.95, Interval(1, 2))


def test_a_first_that_is_missing_and_a_key_that_stands_twice_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^The first, zoe, is not among the samples\.$"):
        first_is_decisive_by_rate([ANA, BIA], first="zoe")
    with pytest.raises(ValueError, match=r"^Every sample needs a key of its own\.$"):
        first_is_decisive_by_median([waits("ana", 1, 2), waits("ana", 3, 4)], first="ana")
