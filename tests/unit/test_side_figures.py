"""What is counted beside the calls themselves: events that were dropped, audit entries, the model and its budgets."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from handlers.messages.model.token_budget import TokenBudget
from rpc_server.calls.measured_model import MeasuredModel
from rpc_server.calls.measures import (
    AUDIT_LOST,
    BUDGET_REFUSALS,
    MODEL_REQUESTS,
    MODEL_TOKENS,
    PROGRESS_DROPPED,
    STATEMENT_SECONDS,
)
from rpc_server.calls.relay import MemoryRelay
from rpc_server.calls.streams import CallStream, Event, Gauge, Owner
from rpc_server.calls.telemetry import Timed
from rpc_server.calls.tracing import NO_TRACES
from rpc_server.calls.trail import AuditTrail
from rpc_server.contract.errors import Cancelled
from rpc_server.contract.model import Generated, ModelFailed
from rpc_server.contract.query import WritableDatabase
from tests.unit.test_call_figures import Tally, call

OWNER = Owner("tenant", "user")


def event(number: int) -> Event:
    return Event.of(number, "analyzing", number / 1000, "Goes on.", {})


async def test_an_event_that_a_reader_never_gets_is_counted_and_one_that_nobody_reads_is_not() -> None:
    tally, relay = Tally(), MemoryRelay()
    unread = Gauge(lambda: tally.count(PROGRESS_DROPPED))
    for number in range(1, 201):
        unread.offer(event(number))
    assert tally.of(PROGRESS_DROPPED) == {}

    relay = MemoryRelay(metrics=tally)
    await relay.open(OWNER, "id", ())
    watching = relay.watch(OWNER, "id", 0, 0)
    await relay.publish(OWNER, "id", event(1))
    await anext(watching)
    for number in range(2, 202):
        await relay.publish(OWNER, "id", event(number))
    await watching.aclose()

    assert tally.of(PROGRESS_DROPPED) == {(): 200 - 64}


async def test_a_tool_faster_than_its_relay_drops_events_too() -> None:
    tally = Tally()
    relay = MemoryRelay()
    await relay.open(OWNER, "id", ())
    stream = CallStream(relay, OWNER, "id", lambda: tally.count(PROGRESS_DROPPED))
    await asyncio.sleep(0)  # it begins to read
    for step in range(100):
        stream.report("analyzing", step / 100, "Goes on.")
    await stream.failed(Cancelled())

    assert tally.of(PROGRESS_DROPPED)[()] >= 100 - 64


class FullWriter:
    """Lets nobody write."""

    @asynccontextmanager
    async def transaction(
        self, tenant_id: str, deadline: Callable[[], float | None]
    ) -> AsyncIterator[WritableDatabase]:
        raise RuntimeError("no")
        yield


async def test_audit_entries_that_are_lost_are_counted_and_those_that_wait_are_known() -> None:
    tally = Tally()
    trail = AuditTrail(FullWriter(), tally)
    for number in range(1003):
        trail.note("tenant", {"number": number})
    assert trail.waiting == 1000
    assert tally.of(AUDIT_LOST) == {(): 3}

    async with trail:
        await trail.written()
    assert trail.waiting == 0
    assert tally.of(AUDIT_LOST) == {(): 1003}


class Scripted:
    """A model that does as it is told."""

    name = "scripted"

    def __init__(self, *answers: Generated | BaseException) -> None:
        self._answers = list(answers)

    async def generate(self, **asked: Any) -> Generated:
        answer = self._answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer


async def test_requests_to_the_model_are_counted_by_their_end_and_tokens_whatever_came_of_them() -> None:
    tally = Tally()
    answers = (
        Generated({}, 100),
        Generated({}, 23),
        ModelFailed("blocked", tokens=7),
        ModelFailed("rate_limited"),
        asyncio.CancelledError(),
    )
    model = MeasuredModel(Scripted(*answers), tally, NO_TRACES)
    for _ in answers:
        asked = model.generate(instructions="", content="", schema={}, most_tokens=1, until=0)
        await asyncio.gather(asked, return_exceptions=True)

    assert tally.of(MODEL_REQUESTS) == {("ok",): 2, ("blocked",): 1, ("rate_limited",): 1, ("cancelled",): 1}
    assert tally.of(MODEL_TOKENS) == {(): 130}


class Purse:
    """The day's budget of a tenant, of which nothing is left."""

    async def first(self, *_: Any, **__: Any) -> None:
        return None

    async def commit(self) -> None:
        pass


async def test_a_budget_that_is_spent_is_counted_by_whose_it_was() -> None:
    tally = Tally()

    @asynccontextmanager
    async def store() -> AsyncIterator[Any]:
        yield Purse()

    asking = call()
    asking.store = store
    asking.over_budget = lambda budget: tally.count(BUDGET_REFUSALS, budget)
    budget = TokenBudget(asking, of_call=10, of_day=1_000_000)

    assert [await budget.reserve(11), await budget.reserve(10)] == [False, False]
    assert tally.of(BUDGET_REFUSALS) == {("call",): 1, ("day",): 1}


def test_a_statement_is_timed_though_it_fails() -> None:
    tally = Tally()
    with pytest.raises(KeyError), Timed(tally, STATEMENT_SECONDS, "directory/list_agents"):
        raise KeyError

    assert tally.observed == [(STATEMENT_SECONDS, ("directory/list_agents",))]
