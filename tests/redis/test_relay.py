"""A call's progress, watched where it runs and on another replica: the same events, to its owner only."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest

from rpc_server.backends.redis_relay import RedisRelay, calls_key, events_key
from rpc_server.calls.streams import Event, Owner, Relay
from rpc_server.contract.errors import Conflict, NotFound, ShuttingDown
from tests.redis.conftest import Kind, Replica, Replicas
from tests.redis.polling import PATIENCE, lives_of, until

ME = Owner("tenant-a", "ana")
COLLEAGUE = Owner("tenant-a", "bia")
STRANGER = Owner("tenant-b", "ana")


def event(number: int, stage: Any = "analyzing") -> Event:
    return Event(number, stage, number / 100, b'{"n":%d,"text":"ol\xc3\xa1"}' % number)


async def all_of(events: AsyncGenerator[Event, None]) -> list[Event]:
    async with asyncio.timeout(PATIENCE), aclosing(events):
        return [event async for event in events]


async def seen(relay: Relay, name: str, *, owner: Owner = ME, after: int = 0, wait: float = 0) -> list[Event]:
    return await all_of(relay.watch(owner, name, after, wait))


async def ended(relay: Relay, request_id: str, owner: Owner = ME, aliases: tuple[str, ...] = ()) -> list[Event]:
    events = [event(1, "starting"), event(2), event(3, "done")]
    await relay.open(owner, request_id, aliases)
    for one in events:
        await relay.publish(owner, request_id, one)
    return events


async def reached(events: AsyncGenerator[Event, None], number: int) -> list[Event]:
    """Read up to an event."""
    async with asyncio.timeout(PATIENCE):
        read = []
        async for one in events:
            read.append(one)
            if one.id >= number:
                return read
    raise AssertionError(f"it ended after {read}")


async def test_a_late_watcher_sees_what_there_was(replica: Replica, another: Replica) -> None:
    events = await ended(replica.relay, "call")

    assert await seen(another.relay, "call") == events
    assert await seen(replica.relay, "call") == events


async def test_a_watcher_sees_what_was_and_what_comes(replica: Replica, another: Replica) -> None:
    await replica.relay.open(ME, "call", ())
    await replica.relay.publish(ME, "call", event(1))
    watching = another.relay.watch(ME, "call", 0, 0)
    assert await reached(watching, 1) == [event(1)]
    await replica.relay.publish(ME, "call", event(2))
    assert await reached(watching, 2) == [event(2)]
    await replica.relay.publish(ME, "call", event(3, "done"))

    assert await all_of(watching) == [event(3, "done")]


async def test_a_watcher_may_come_before_the_call(replica: Replica, another: Replica) -> None:
    watching = asyncio.create_task(seen(another.relay, "call", wait=PATIENCE))
    await asyncio.sleep(0)
    await ended(replica.relay, "another")
    events = await ended(replica.relay, "call")

    assert await watching == events


async def test_one_that_comes_again_gets_what_it_has_not_seen(replica: Replica, another: Replica) -> None:
    events = await ended(replica.relay, "call")

    for relay in (replica.relay, another.relay):
        assert await seen(relay, "call", after=1) == events[1:]
        assert await seen(relay, "call", after=3) == []


async def test_several_watch_on_both_sides(replica: Replica, another: Replica) -> None:
    await replica.relay.open(ME, "call", ())
    watchers = [asyncio.create_task(seen(side.relay, "call", wait=5)) for side in (replica, another) * 5]
    await asyncio.sleep(0)
    for one in (event(1), event(2), event(3, "error")):
        await replica.relay.publish(ME, "call", one)

    assert [[one.id for one in seen] for seen in await asyncio.gather(*watchers)] == [[1, 2, 3]] * 10


@pytest.mark.parametrize("owner", [COLLEAGUE, STRANGER])
async def test_anothers_call_is_as_unknown_as_none(replica: Replica, another: Replica, owner: Owner) -> None:
    await replica.relay.open(ME, "call", ("alias",))
    await replica.relay.publish(ME, "call", event(1))

    said = set()
    for name in ("call", "alias", "nothing"):
        with pytest.raises(NotFound) as refusal:
            await seen(another.relay, name, owner=owner)
        said.add(refusal.value.message)
    assert len(said) == 1


HOSTILE = [
    Owner("a", "b:c"),
    Owner("a:b", "c"),
    Owner("{a}", "b"),
    Owner('a","b', "c"),
    Owner("a\x00", "b"),
    Owner("é*?[", "\ud800"),
]


async def test_no_two_owners_are_taken_for_one_whatever_they_are_called(replica: Replica, another: Replica) -> None:
    for number, owner in enumerate(HOSTILE, 1):
        await replica.relay.open(owner, "call", ())
        await replica.relay.publish(owner, "call", event(number, "done"))

    for number, owner in enumerate(HOSTILE, 1):
        assert await seen(another.relay, "call", owner=owner) == [event(number, "done")]


async def test_a_running_calls_id_is_taken_on_every_replica_and_an_ended_ones_is_not(
    replica: Replica, another: Replica
) -> None:
    await replica.relay.open(ME, "call", ())
    for side in (replica, another):
        with pytest.raises(Conflict, match="still running"):
            await side.relay.open(ME, "call", ())
    await another.relay.open(COLLEAGUE, "call", ())
    await another.relay.open(STRANGER, "call", ())
    await replica.relay.publish(ME, "call", event(1, "done"))
    await another.relay.open(ME, "call", ())
    await another.relay.publish(ME, "call", event(7, "done"))

    assert [one.id for one in await seen(another.relay, "call")] == [7]


async def test_of_many_that_open_the_same_id_at_once_one_may(replicas: Replicas) -> None:
    sides = [(await replicas.start()).relay for _ in range(3)]

    opened = await asyncio.gather(*(side.open(ME, "call", ()) for side in sides * 5), return_exceptions=True)

    assert sum(one is None for one in opened) == 1
    assert all(one is None or isinstance(one, Conflict) for one in opened)


async def test_an_alias_works_while_it_stands_for_one_call(replica: Replica, another: Replica) -> None:
    events = await ended(replica.relay, "first", aliases=("1", "x" * 5000))
    assert await seen(another.relay, "1") == events
    await replica.relay.open(ME, "second", ("1",))
    await replica.relay.publish(ME, "second", event(8))
    watching = another.relay.watch(ME, "1", 0, 0)  # the one that runs
    assert await reached(watching, 8) == [event(8)]
    await another.relay.open(ME, "third", ("1",))

    with pytest.raises(Conflict):
        await seen(replica.relay, "1")
    await replica.relay.publish(ME, "second", event(9, "done"))
    assert await all_of(watching) == [event(9, "done")]


async def test_the_last_events_of_a_long_call_are_kept(replica: Replica, another: Replica) -> None:
    await replica.relay.open(ME, "call", ())
    for number in range(1, 500):
        await replica.relay.publish(ME, "call", event(number))
    await replica.relay.publish(ME, "call", event(500, "done"))

    for relay in (replica.relay, another.relay):
        assert [one.id for one in await seen(relay, "call")] == list(range(469, 501))


async def test_a_watcher_that_leaves_leaves_nothing_behind(replicas: Replicas) -> None:
    side = await replicas.start()
    relay, tail = side.relay, getattr(side.relay, "_tail", None)
    other = (await replicas.start()).relay
    await other.open(ME, "call", ())
    await other.publish(ME, "call", event(1))
    for name in ("call", "nothing"):
        watching = asyncio.create_task(seen(relay, name, wait=60))
        await asyncio.sleep(0.05)
        watching.cancel()
        await asyncio.wait([watching])

    if isinstance(relay, RedisRelay):
        assert tail is not None
        assert not relay._mirrors and not tail._followed
        local = relay._local
        assert not any((local._streams, local._by_owner, local._early, local._watching))


async def test_a_thousand_watch_on_another_replica(replica: Replica, another: Replica) -> None:
    owners = [Owner("tenant", str(number)) for number in range(20)]
    for owner in owners:
        await replica.relay.open(owner, "call", ())
    watchers = [asyncio.create_task(seen(another.relay, "call", owner=owner, wait=10)) for owner in owners * 50]
    for number in range(1, 6):
        for owner in owners:
            await replica.relay.publish(owner, "call", event(number, "done" if number == 5 else "analyzing"))

    assert {tuple(one.id for one in seen)[-1] for seen in await asyncio.gather(*watchers)} == {5}


@pytest.mark.parametrize("kind", ["redis"], indirect=True)
class TestInRedis:
    """What only a shared relay has to do."""

    async def test_a_call_whose_process_died_ends_for_its_watchers_and_frees_its_id(
        self, kind: Kind, replicas: Replicas, another: Replica
    ) -> None:
        dying = await replicas.start(known_seconds=0.3)
        await dying.relay.open(ME, "call", ())
        await dying.relay.publish(ME, "call", event(1))
        watching = another.relay.watch(ME, "call", 0, 0)
        assert await reached(watching, 1) == [event(1)]
        # Nothing more comes from there: signs of life would take longer than it is known.

        last = (await all_of(watching))[-1]

        assert (last.id, last.stage) == (2, "error")
        assert ShuttingDown.code.encode() in last.body

        async def is_free() -> bool:
            try:
                await another.relay.open(ME, "call", ())
            except Conflict:
                return False
            return True

        await until(is_free)

    async def test_a_call_that_says_nothing_for_long_stays_known(
        self, kind: Kind, replicas: Replicas, another: Replica
    ) -> None:
        silent = await replicas.start(known_seconds=1)
        relay = silent.relay
        assert isinstance(relay, RedisRelay)
        await relay.open(ME, "call", ())
        for _ in range(15):
            await relay._say_again(ME, "call", relay._runs[ME, "call"])
            await asyncio.sleep(0.1)

        with pytest.raises(Conflict):
            await another.relay.open(ME, "call", ())

    async def test_everything_expires(self, kind: Kind, replica: Replica) -> None:
        await replica.relay.open(ME, "runs", ())
        await ended(replica.relay, "ended")
        assert isinstance(replica.relay, RedisRelay)
        running = replica.relay._runs[ME, "runs"]

        lives = await lives_of(replica.redis)

        assert all(life > 0 for life in lives.values())
        assert lives[running.keys[0]] <= 15_000 and lives[running.keys[1]] <= 15_000
        assert [life for key, life in lives.items() if ":progress:" in key and life > 15_000]  # the ended one
        assert sum(":claim:" in key for key in lives) == 1
        assert list(replica.relay._runs) == [(ME, "runs")]

    async def test_an_ended_call_is_unknown_when_its_events_have_expired(
        self, kind: Kind, replica: Replica, another: Replica
    ) -> None:
        await ended(replica.relay, "call")
        redis = replica.redis
        assert redis is not None
        await redis.run(_delete_streams(redis))

        with pytest.raises(NotFound):
            await seen(another.relay, "call")

    async def test_what_redis_has_lost_is_made_known_again(
        self, kind: Kind, replica: Replica, another: Replica
    ) -> None:
        await replica.relay.open(ME, "call", ("alias",))
        await replica.relay.publish(ME, "call", event(1))
        redis = replica.redis
        assert redis is not None
        await redis.run(_delete_streams(redis))
        await replica.relay.publish(ME, "call", event(2, "done"))

        assert await seen(another.relay, "alias") == [event(2, "done")]

    async def test_keys_name_nobody(self, kind: Kind, replica: Replica) -> None:
        redis = replica.redis
        assert redis is not None
        for key in (calls_key(redis, ME), events_key(redis, ME, "run")):
            assert "tenant" not in key and "ana" not in key


def _delete_streams(redis: Any) -> Any:
    async def delete(client: Any) -> None:
        keys = await client.keys(f"{redis._prefix}:*")
        await client.delete(*[key for key in keys if b":progress:" in key or b":claim:" in key])

    return delete
