"""A call's progress from the tool to its watchers, in one process."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rpc_server.calls import streams
from rpc_server.calls.relay import MemoryRelay
from rpc_server.calls.streams import CallStream, Event, Gauge, Owner
from rpc_server.contract.errors import Conflict, NotFound, RateLimited, ShuttingDown
from rpc_server.contract.result import Result

ME = Owner("tenant-a", "ana")
COLLEAGUE = Owner("tenant-a", "bia")
STRANGER = Owner("tenant-b", "ana")


class Answer(Result):
    """What the tool of these tests answers."""

    figure: int

    def text(self) -> str:
        return str(self.figure)

    def highlights(self) -> dict[str, Any]:
        return {"winner": self.figure}


def event(number: int, stage: Any = "analyzing") -> Event:
    return Event(number, stage, number / 100, b"{}")


async def all_of(events: AsyncGenerator[Event, None]) -> list[Event]:
    async with aclosing(events):
        return [event async for event in events]


async def seen(relay: MemoryRelay, name: str, *, owner: Owner = ME, after: int = 0, wait: float = 0) -> list[int]:
    return [event.id for event in await all_of(relay.watch(owner, name, after, wait))]


async def ended(relay: MemoryRelay, request_id: str, owner: Owner = ME, aliases: tuple[str, ...] = ()) -> None:
    await relay.open(owner, request_id, aliases)
    await relay.publish(owner, request_id, event(1))
    await relay.publish(owner, request_id, event(2, "done"))


@given(st.lists(st.floats(allow_nan=False), max_size=150))
async def test_progress_only_grows_whatever_a_tool_reports(reports: list[float]) -> None:
    relay = MemoryRelay()
    await relay.open(ME, "call", ())
    stream = CallStream(relay, ME, "call")
    stream.own_watcher = watcher = Gauge()
    stream.begin("tool")
    for number, progress in enumerate(reports):
        stream.report("analyzing", progress, "so far", part=number)
        await asyncio.sleep(0)
    await stream.done("tool", Answer(figure=7))

    events = [event async for event in watcher.events()]

    figures = [event.progress for event in events]
    assert all(earlier < later for earlier, later in pairwise(figures))
    assert (figures[-1], events[-1].stage) == (1.0, "done")
    assert figures[0] >= 0


async def test_the_last_event_bears_the_result_and_what_stands_beside_it() -> None:
    relay = MemoryRelay()
    await relay.open(ME, "call", ())
    stream = CallStream(relay, ME, "call")
    stream.begin("tool")
    await stream.done("tool", Answer(figure=7))

    last = orjson.loads((await all_of(relay.watch(ME, "call", 0, 0)))[-1].body)

    assert set(last) == {"stage", "progress", "message", "data", "timestamp"}
    assert last["data"] == {"result": {"figure": 7}, "winner": 7}


async def test_a_full_queue_loses_its_oldest_events_and_never_the_last() -> None:
    gauge = Gauge()
    for number in range(1, 500):
        gauge.offer(event(number))
    gauge.offer(event(500, "done"))

    numbers = [event.id async for event in gauge.events()]

    assert len(numbers) == gauge.maxsize
    assert numbers == list(range(501 - gauge.maxsize, 501))


async def test_a_watcher_sees_what_came_before_and_what_comes() -> None:
    relay = MemoryRelay()
    await relay.open(ME, "call", ())
    await relay.publish(ME, "call", event(1))
    watching = asyncio.create_task(seen(relay, "call"))
    await asyncio.sleep(0)
    await relay.publish(ME, "call", event(2))
    await relay.publish(ME, "call", event(3, "done"))

    assert await watching == [1, 2, 3]


async def test_a_watcher_that_comes_again_gets_what_it_has_not_seen() -> None:
    relay = MemoryRelay()
    await ended(relay, "call")

    assert await seen(relay, "call", after=1) == [2]
    assert await seen(relay, "call", after=2) == []


async def test_a_watcher_may_come_before_the_call() -> None:
    relay = MemoryRelay()
    watching = asyncio.create_task(seen(relay, "call", wait=10))
    await asyncio.sleep(0)
    await ended(relay, "another")
    await ended(relay, "call")

    assert await watching == [1, 2]


@pytest.mark.parametrize("owner", [COLLEAGUE, STRANGER])
async def test_another_callers_stream_is_as_unknown_as_none(owner: Owner) -> None:
    relay = MemoryRelay()
    await relay.open(ME, "call", ("alias",))

    said = set()
    for name in ("call", "alias", "nothing"):
        with pytest.raises(NotFound) as refusal:
            await seen(relay, name, owner=owner)
        said.add(refusal.value.message)
    assert len(said) == 1


async def test_an_ended_id_may_be_used_again_and_a_running_one_not() -> None:
    relay = MemoryRelay()
    await ended(relay, "call")
    await relay.open(ME, "call", ())
    with pytest.raises(Conflict):
        await relay.open(ME, "call", ())
    await relay.open(COLLEAGUE, "call", ())
    await relay.open(STRANGER, "call", ())


async def test_an_alias_works_only_while_it_stands_for_one_call() -> None:
    relay = MemoryRelay()
    await ended(relay, "first", aliases=("1",))
    assert await seen(relay, "1") == [1, 2]
    await relay.open(ME, "second", ("1",))
    await relay.publish(ME, "second", event(9, "done"))
    await relay.open(ME, "third", ("1",))
    await relay.publish(ME, "third", event(8))
    watching = asyncio.create_task(seen(relay, "1"))  # the one that runs
    await asyncio.sleep(0)
    await relay.open(ME, "fourth", ("1",))

    with pytest.raises(Conflict):
        await seen(relay, "1")
    await relay.publish(ME, "third", event(10, "done"))
    assert await watching == [8, 10]


async def test_ended_streams_are_forgotten_after_a_while_and_beyond_a_number() -> None:
    relay = MemoryRelay(kept_seconds=0.01)
    await ended(relay, "call")
    await asyncio.sleep(0.05)
    with pytest.raises(NotFound):
        await seen(relay, "call")

    few = MemoryRelay(most_kept=2)
    for name in ("first", "second", "third"):
        await ended(few, name)
    with pytest.raises(NotFound):
        await seen(few, "first")
    assert await seen(few, "third") == [1, 2]


async def test_one_caller_cannot_fill_the_relay() -> None:
    relay = MemoryRelay(most_per_owner=2)
    await relay.open(ME, "first", ())
    await relay.open(ME, "second", ())
    with pytest.raises(RateLimited):
        await relay.open(ME, "third", ())
    watchers = [asyncio.create_task(seen(relay, "first")) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(RateLimited):
        await seen(relay, "first")
    await relay.open(COLLEAGUE, "third", ())
    await relay.publish(ME, "first", event(1, "done"))
    assert await asyncio.gather(*watchers) == [[1], [1]]


async def test_who_waits_for_a_call_is_sent_away_when_the_server_stops() -> None:
    relay = MemoryRelay()
    waiting = asyncio.create_task(seen(relay, "call", wait=60))
    await asyncio.sleep(0)
    relay.close()
    with pytest.raises(ShuttingDown):
        await waiting


async def test_a_watcher_that_leaves_leaves_nothing_behind() -> None:
    relay = MemoryRelay(kept_seconds=0)
    await relay.open(ME, "call", ("alias",))
    for name in ("call", "alias", "nothing"):
        watching = asyncio.create_task(seen(relay, name, wait=60))
        await asyncio.sleep(0)
        watching.cancel()
        await asyncio.wait([watching])
    await relay.publish(ME, "call", event(1, "done"))
    await asyncio.sleep(0.01)

    state = (relay._streams, relay._by_owner, relay._ended, relay._early, relay._watching)
    assert not any(state), state


class SlowRelay(MemoryRelay):
    """Takes nothing until it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.may_take = asyncio.Event()

    async def publish(self, owner: Owner, request_id: str, event: Event, *, is_mirrored: bool = False) -> None:
        await self.may_take.wait()
        await super().publish(owner, request_id, event, is_mirrored=is_mirrored)


async def test_a_slow_relay_keeps_no_caller_waiting_and_gets_the_last_event_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "_CLOSING_SECONDS", 0.01)
    relay = SlowRelay()
    await relay.open(ME, "call", ())
    watching = asyncio.create_task(seen(relay, "call"))
    stream = CallStream(relay, ME, "call")
    stream.own_watcher = own = Gauge()
    stream.begin("tool")
    stream.report("analyzing", 0.5, "half", part=1)
    await stream.done("tool", Answer(figure=7))

    async with asyncio.timeout(10):
        assert [event.stage async for event in own.events()] == ["starting", "analyzing", "done"]
        relay.may_take.set()
        assert await watching == [1, 2, 3]


async def test_nothing_comes_after_the_last_event() -> None:
    relay = MemoryRelay()
    await relay.open(ME, "call", ())
    stream = CallStream(relay, ME, "call")
    stream.own_watcher = own = Gauge()
    await stream.failed(ShuttingDown())
    stream.report("analyzing", 0.5, "half", part=1)
    await stream.failed(ShuttingDown())

    assert own.qsize() == 1 and stream.has_ended
    assert await seen(relay, "call") == [1]


async def test_a_name_too_long_for_an_address_is_not_kept() -> None:
    relay = MemoryRelay()
    await ended(relay, "call", aliases=("a" * 1024, "b" * 1025))

    assert await seen(relay, "a" * 1024) == [1, 2]
    with pytest.raises(NotFound):
        await seen(relay, "b" * 1025)
