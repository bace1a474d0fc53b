"""The one connection that all share: each gets its own answers, and it is lost as a whole."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from redis.asyncio import ConnectionPool

from rpc_server.backends.redis import RedisUnavailable, SharedRedis
from rpc_server.backends.redis_lane import Lane
from tests.redis.server import RedisServer

LONG = 30.0


@pytest.fixture
async def lane(own_redis: RedisServer) -> AsyncIterator[Lane]:
    lane = await Lane.open(ConnectionPool.from_url(own_redis.url, protocol=2), LONG, lambda: None)
    yield lane
    lane.close()
    await asyncio.sleep(0)


async def test_each_gets_its_own_answers_whoever_is_called_off(lane: Lane) -> None:
    rng = random.Random(1)

    async def echo(number: int) -> bool:
        words = [f"{number} {place} é".encode() * rng.randrange(1, 500) for place in range(rng.randrange(1, 5))]
        return await lane.ask([("ECHO", word) for word in words]) == words

    callers = [asyncio.create_task(echo(number)) for number in range(500)]
    await asyncio.sleep(0)
    gone = rng.sample(callers, 100)
    for caller in gone:
        caller.cancel()
    answers = await asyncio.gather(*callers, return_exceptions=True)

    assert [answer for answer, caller in zip(answers, callers, strict=True) if caller not in gone] == [True] * 400
    assert await echo(500)


async def test_an_error_of_redis_is_one_of_the_answers_and_concerns_nobody_else(lane: Lane) -> None:
    wrong, right = await asyncio.gather(
        lane.ask([("SET", "word", "x"), ("INCR", "word"), ("GET", "word")]), lane.ask([("ECHO", "x")])
    )

    assert (wrong[0], wrong[2], right) == (b"OK", b"x", [b"x"])
    assert isinstance(wrong[1], Exception) and "not an integer" in str(wrong[1])


async def test_who_waits_is_told_when_the_connection_is_lost(own_redis: RedisServer) -> None:
    losses: list[bool] = []
    lane = await Lane.open(ConnectionPool.from_url(own_redis.url, protocol=2), LONG, lambda: losses.append(True))
    waiting = [asyncio.create_task(lane.ask([("BLPOP", "nothing", 0)])) for _ in range(3)]
    await asyncio.sleep(0.05)
    own_redis.kill()

    found = await asyncio.gather(*waiting, return_exceptions=True)

    assert [type(answer) for answer in found] == [ConnectionError] * 3
    assert losses == [True]
    with pytest.raises(ConnectionError):
        await lane.ask([("PING",)])


async def test_an_answer_that_does_not_come_in_time_loses_the_connection(own_redis: RedisServer) -> None:
    lane = await Lane.open(ConnectionPool.from_url(own_redis.url, protocol=2), 0.1, lambda: None)
    own_redis.freeze()
    try:
        async with asyncio.timeout(LONG):
            with pytest.raises(TimeoutError):
                await lane.ask([("PING",)])
    finally:
        own_redis.thaw()


async def test_a_connection_that_redis_closes_while_it_is_idle_is_opened_anew_and_nobody_notices(
    own_redis: RedisServer,
) -> None:
    async with SharedRedis(own_redis.url, timeout_seconds=LONG) as redis:
        changes: list[bool] = []
        redis.on_change.append(changes.append)
        for _ in range(3):
            assert await redis.ask("test", [("ECHO", "x")], list) == [b"x"]
            own_redis.command("CLIENT", "KILL", "TYPE", "normal")
            async with asyncio.timeout(LONG):
                while redis._lane is not None:  # noqa: ASYNC110 - it happens in another process
                    await asyncio.sleep(0.01)

    assert changes == []


async def test_a_script_that_redis_has_lost_is_sent_again(own_redis: RedisServer) -> None:
    async with SharedRedis(own_redis.url, timeout_seconds=LONG) as redis:
        script = redis.script("probe")
        for _ in range(2):
            own_redis.command("SCRIPT", "FLUSH")
            assert await redis.ask("test", [redis.call_of(script, "key", 1000), ("ECHO", "x")], list) == [b"OK", b"x"]


async def test_callers_that_are_called_off_while_it_is_opened_leave_it_to_others(own_redis: RedisServer) -> None:
    async with SharedRedis(own_redis.url, timeout_seconds=LONG) as redis:
        first, second = [asyncio.create_task(redis.ask("test", [("ECHO", "x")], list)) for _ in range(2)]
        await asyncio.sleep(0)
        first.cancel()
        with suppress(asyncio.CancelledError):
            await first

        assert await second == [b"x"]


async def test_what_is_no_redis_puts_it_out_of_use() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while await reader.read(1000):
                writer.write(b"+OK\r\nHTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        async with SharedRedis(f"redis://127.0.0.1:{port}", timeout_seconds=1.0) as redis:
            with pytest.raises(RedisUnavailable):
                await redis.ask("test", [("ECHO", "x")], list)
            assert not redis.in_use
    finally:
        server.close()
        await server.wait_closed()
