"""The keeper of figures: what is declared and nothing else, cheap to count and readable by a real parser."""

import asyncio
import math
import resource
import time
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from rpc_server.backends.metrics import OTHER, Metrics
from rpc_server.backends.process import read_process
from rpc_server.calls.measures import METRICS, PROCESS_FILES, PROCESS_MEMORY, PROCESS_STARTED
from rpc_server.calls.telemetry import Metric, Timed

CALLS = Metric("counter", "calls_total", "Calls.", {"tool": None, "outcome": ("ok", "failed")})
WIDE = Metric("counter", "wide_total", "Many.", {"tool": None, "number": tuple(map(str, range(200)))})
NOW = Metric("gauge", "now", "What is now.", {"state": ("idle", "in_use")})
PLAIN = Metric("gauge", "plain", "Without labels.")
SECONDS = Metric("histogram", "seconds", "How long.", {"tool": None}, (0.1, 1, 10))
DECLARED = (CALLS, WIDE, NOW, PLAIN, SECONDS)

UNSAFE = ('x"y', "line\nbreak", "back\\slash", "", "é", "\x00", "a" * 10_000, '"} 1\nevil_total 1')
HOSTILE = (*UNSAFE, "{}", "tenant-a")


def kept(**constant: str) -> Metrics:
    return Metrics(DECLARED, {"tool": ["list", "get"]}, constant=constant)


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }


def of(metrics: Metrics, name: str) -> dict[Any, float]:
    """Return a metric's values by those of its labels, in the order of the labels' names."""
    found = samples(metrics).items()
    return {tuple(value for _, value in labels): number for (named, labels), number in found if named == name}


def test_a_small_counter_starts_with_every_series_at_zero() -> None:
    assert of(kept(), "calls_total") == {(o, t): 0 for o in ("ok", "failed") for t in ("get", "list")}


def test_a_wide_counter_and_a_histogram_show_only_what_was_counted() -> None:
    metrics = kept()
    assert of(metrics, "wide_total") == of(metrics, "seconds_count") == {}

    metrics.count(WIDE, "get", "7")
    assert of(metrics, "wide_total") == {("7", "get"): 1}


def test_counts_add_up_and_gauges_go_both_ways() -> None:
    metrics = kept()
    for _ in range(3):
        metrics.count(CALLS, "get", "ok")
    metrics.count(CALLS, "get", "ok", by=4)
    metrics.count(NOW, "idle", by=2)
    metrics.count(NOW, "idle", by=-1)
    metrics.put(PLAIN, 2.5)
    metrics.put(PLAIN, True)

    assert of(metrics, "calls_total")["ok", "get"] == 7
    assert of(metrics, "now") == {("idle",): 1}
    assert of(metrics, "plain") == {(): 1}


def test_a_histogram_counts_each_value_in_every_bucket_that_holds_it() -> None:
    metrics = kept()
    values = (0.0, 0.1, 0.100001, 1.0, 9.99, 10.0, 10.1, 1e9)
    for value in values:
        metrics.observe(SECONDS, value, "get")

    buckets = {float(le): number for (le, _), number in of(metrics, "seconds_bucket").items()}
    assert buckets == {le: sum(value <= le for value in values) for le in (0.1, 1, 10, math.inf)}
    assert of(metrics, "seconds_count") == {("get",): len(values)}
    assert of(metrics, "seconds_sum")["get",] == pytest.approx(sum(values))


@pytest.mark.parametrize("value", HOSTILE)
def test_what_is_not_declared_makes_no_series_of_its_own(value: str) -> None:
    metrics = kept()
    before = samples(metrics)
    metrics.count(CALLS, value, "ok")
    metrics.count(CALLS, "get", value)
    metrics.count(NOW, value)
    metrics.put(NOW, 5, value)
    metrics.observe(SECONDS, 0.5, value)

    new = set(samples(metrics)) - set(before)
    assert {label for _, labels in new for name, label in labels if name != "le"} <= {OTHER, "ok", "get"}
    assert of(metrics, "calls_total")["ok", OTHER] == of(metrics, "calls_total")[OTHER, "get"] == 1
    assert of(metrics, "now") == {(OTHER,): 5}


def test_too_few_or_too_many_labels_fail_no_call() -> None:
    metrics = kept()
    metrics.count(CALLS, "get")
    metrics.count(CALLS, "get", "ok", "more")
    metrics.count(PLAIN, "more")

    assert of(metrics, "calls_total")[OTHER, "get"] == 1
    assert of(metrics, "calls_total")["ok", "get"] == 1


@pytest.mark.parametrize("value", UNSAFE)
def test_a_value_that_could_not_be_shown_is_refused_at_the_start(value: str) -> None:
    with pytest.raises(ValueError, match="cannot be the value of a label"):
        Metrics(DECLARED, {"tool": [value]})
    with pytest.raises(ValueError, match="cannot be the value of a label"):
        kept().allow("tool", [value])
    with pytest.raises(ValueError, match="cannot be the value of a label"):
        kept(worker=value)


@pytest.mark.parametrize("meaning", ["two\nlines", "back\\slash", ""])
def test_a_meaning_that_could_not_be_shown_is_refused_at_the_start(meaning: str) -> None:
    with pytest.raises(ValueError, match="has a meaning that cannot be shown"):
        Metrics([Metric("gauge", "odd", meaning)], {})


def test_values_can_be_allowed_later() -> None:
    metrics = kept()
    metrics.allow("tool", ["late"])
    metrics.count(CALLS, "late", "ok")

    assert of(metrics, "calls_total")["ok", "late"] == 1


def test_readings_are_asked_at_each_scrape() -> None:
    metrics, now = kept(), iter(range(1, 9))
    metrics.read(PLAIN, lambda: next(now))
    metrics.read(NOW, lambda: {("idle",): 3.0, ("in_use",): 4.0})

    assert [of(metrics, "plain")[()] for _ in range(3)] == [1, 2, 3]
    assert of(metrics, "now") == {("idle",): 3, ("in_use",): 4}


def test_two_keepers_share_nothing() -> None:
    first, second = kept(), kept()
    first.count(CALLS, "get", "ok")

    assert of(second, "calls_total")["ok", "get"] == 0


def test_a_constant_label_stands_in_every_series() -> None:
    metrics = kept(worker="3")
    metrics.observe(SECONDS, 1, "get")
    metrics.put(PLAIN, 1)

    assert all(("worker", "3") in labels for _, labels in samples(metrics))


async def test_time_is_taken_however_the_work_ends() -> None:
    metrics = kept()

    async def work(error: type[BaseException] | None) -> None:
        with Timed(metrics, SECONDS, "get"):
            if error is not None:
                raise error

    for error in (None, ValueError, asyncio.CancelledError):
        await asyncio.gather(work(error), return_exceptions=True)

    assert of(metrics, "seconds_count") == {("get",): 3}


def test_the_process_tells_of_itself() -> None:
    open_labels = ("tool", "outcome", "query", "fault", "route", "version", "python")
    metrics = Metrics(METRICS, {label: ["x"] for label in open_labels})
    read_process(metrics)
    figures = samples(metrics)

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    assert most / 4 < figures[PROCESS_MEMORY.name, ()] < most * 1.5  # the system counts both in its own time
    assert 3 <= figures[PROCESS_FILES.name, ()] < 10_000
    assert 0 < time.time() - figures[PROCESS_STARTED.name, ()] < 24 * 3600
