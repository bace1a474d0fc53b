"""What the layers tell of each call: how many, how they ended, what became of them on the way."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from rpc_server.app import layers
from rpc_server.calls.layers import Layer, Next, compose, pass_by
from rpc_server.calls.layers.audit import audit
from rpc_server.calls.layers.deadline import deadline
from rpc_server.calls.layers.log import log
from rpc_server.calls.layers.metrics import measuring
from rpc_server.calls.layers.permit import permit
from rpc_server.calls.layers.trace import tracing
from rpc_server.calls.layers.validate import validate
from rpc_server.calls.measures import CACHE_LOOKUPS, CALL_SECONDS, CALLS, CALLS_IN_FLIGHT, LIMIT_REFUSALS
from rpc_server.calls.telemetry import Metric
from rpc_server.calls.tracing import NO_TRACES
from rpc_server.contract.caller import Caller
from rpc_server.contract.errors import NotFound, RateLimited
from rpc_server.contract.result import Result
from rpc_server.contract.tool import Call
from rpc_server.transport.answers import STATUS
from tests.wire.probes import Heard, Probes


class Tally:
    """Adds up what it is told."""

    def __init__(self) -> None:
        self.sums: dict[tuple[Metric, tuple[str, ...]], float] = {}
        self.observed: list[tuple[Metric, tuple[str, ...]]] = []

    def count(self, metric: Metric, *labels: str, by: float = 1) -> None:
        self.sums[metric, labels] = self.sums.get((metric, labels), 0) + by

    def put(self, metric: Metric, value: float, *labels: str) -> None:
        self.sums[metric, labels] = value

    def observe(self, metric: Metric, value: float, *labels: str) -> None:
        assert value >= 0
        self.observed.append((metric, labels))

    def of(self, metric: Metric) -> dict[tuple[str, ...], float]:
        return {labels: number for (told, labels), number in self.sums.items() if told is metric}


def call(name: str = "hear", *, arguments: Any = None, cache_seconds: int = 0) -> Call:
    tool = replace(Probes().tools[name], cache_seconds=cache_seconds)
    database: Any = None
    caller = Caller("tenant", "user", frozenset("*"))
    return Call(tool, caller, arguments, "id", datetime.now(UTC), database, lambda tenant, entry: None)


async def heard(call: Call) -> Result:
    return HEARD


HEARD = Heard(times=1)


def raising(error: BaseException) -> Next:
    async def tool(call: Call) -> Result:
        raise error

    return tool


def around(tally: Tally) -> tuple[Layer, ...]:
    return layers(metrics=measuring(tally), trace=tracing(NO_TRACES))


def test_they_stand_outside_all_others_in_this_order() -> None:
    tally = Tally()
    metrics, trace = measuring(tally), tracing(NO_TRACES)

    found = layers(metrics=metrics, trace=trace)

    assert [layer for layer in found if layer is not pass_by] == [
        trace, metrics, log, audit, deadline, permit, validate,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (NotFound("Gone."), "not_found"),
        (RateLimited("Too many.", retry_after=1), "rate_limited"),
        (KeyError("unforeseen"), "internal"),
        (TimeoutError(), "deadline_exceeded"),
        (asyncio.CancelledError(), "cancelled"),
    ],
)
async def test_a_failed_call_counts_once_under_its_outcome(error: BaseException, outcome: str) -> None:
    tally = Tally()
    await asyncio.gather(compose(around(tally), raising(error))(call()), return_exceptions=True)

    assert tally.of(CALLS) == {("hear", outcome): 1}
    assert tally.of(CALLS_IN_FLIGHT) == {("hear",): 0}
    assert tally.observed == [(CALL_SECONDS, ("hear",))]
    assert outcome in STATUS


async def test_a_call_is_in_flight_while_it_runs_and_not_after() -> None:
    tally, seen = Tally(), []

    async def tool(call: Call) -> Result:
        seen.append(tally.of(CALLS_IN_FLIGHT)["hear",])
        return HEARD

    chain = compose(around(tally), tool)
    await chain(call())
    await chain(call())

    assert seen == [1, 1]
    assert tally.of(CALLS_IN_FLIGHT) == {("hear",): 0}
    assert tally.of(CALLS) == {("hear", "ok"): 2}


async def test_cancelled_calls_leave_none_in_flight() -> None:
    tally, everybody = Tally(), asyncio.Event()

    async def tool(call: Call) -> Result:
        if tally.of(CALLS_IN_FLIGHT)["hear",] == 20:
            everybody.set()
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    running = [asyncio.ensure_future(compose(around(tally), tool)(call())) for _ in range(20)]
    async with asyncio.timeout(10):
        await everybody.wait()
    for one in running:
        one.cancel()
    await asyncio.gather(*running, return_exceptions=True)

    assert tally.of(CALLS_IN_FLIGHT) == {("hear",): 0}
    assert tally.of(CALLS) == {("hear", "cancelled"): 20}


async def test_a_refusal_by_a_limit_counts_under_the_class_of_the_tool() -> None:
    tally = Tally()
    refused = raising(RateLimited("Too many.", retry_after=1))
    for name in ("hear", "dream"):
        await asyncio.gather(compose(around(tally), refused)(call(name)), return_exceptions=True)

    assert tally.of(LIMIT_REFUSALS) == {("read",): 2}


async def test_an_answer_of_a_cached_tool_is_a_hit_or_a_miss() -> None:
    tally = Tally()

    async def kept(call: Call) -> Result:
        call.age_seconds = 0.0
        return HEARD

    await compose(around(tally), heard)(call(cache_seconds=300))
    await compose(around(tally), kept)(call(cache_seconds=300))
    await compose(around(tally), kept)(call(cache_seconds=300))
    await compose(around(tally), heard)(call())

    assert tally.of(CACHE_LOOKUPS) == {("hear", "miss"): 1, ("hear", "hit"): 2}
