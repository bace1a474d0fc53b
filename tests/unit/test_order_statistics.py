"""Some of many values: what is known is found by its place, and nothing else is made up."""

import pytest

from handlers.order_statistics import OrderStatistics
from handlers.statistics import median, median_interval, quantile

VALUES = [float(value) for value in range(2_000)]


def test_figures_of_known_places_are_those_of_all_values() -> None:
    some = OrderStatistics(len(VALUES), [(860, VALUES[860:1140]), (1798, VALUES[1798:1802])])

    assert median(some) == median(VALUES)
    assert quantile(some, 0.9) == quantile(VALUES, 0.9)
    for level in (0.95, 0.999, 1 - 1e-8):
        assert median_interval(some, level) == median_interval(VALUES, level)


def test_a_place_that_is_not_known_is_no_figure() -> None:
    some = OrderStatistics(10, [(4, [1.0, 2.0])])

    assert (some[4], some[5], some[-5], some[4:6]) == (1.0, 2.0, 2.0, [1.0, 2.0])
    with pytest.raises(LookupError, match="3 of 10"):
        some[3]
    with pytest.raises(IndexError):
        some[10]


def test_none_of_none_is_empty() -> None:
    assert median(OrderStatistics(0, [(0, [])])) is None
