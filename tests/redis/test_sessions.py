"""What replicas share of sessions."""

import asyncio
import time

import pytest

from rpc_server.backends.redis_sessions import RedisSessions
from rpc_server.backends.session_memory import Log, SessionMemory
from rpc_server.protocol.session import Session
from rpc_server.protocol.versions import V2025_11_25
from tests.redis.conftest import Kind, Replica
from tests.redis.polling import PATIENCE, lives_of, until


def session(name: str = "a", seconds: float = 60) -> Session:
    return Session(name, V2025_11_25, time.time() + seconds)


async def found(sessions: SessionMemory, name: str, stream: str) -> Log:
    """Return a stream; another replica has it a moment later."""
    await until(lambda: sessions.find(session(name), stream))
    log = await sessions.find(session(name), stream)
    assert log is not None
    return log


async def read(log: Log, after: int = 0) -> list[tuple[int, bytes]]:
    async with asyncio.timeout(PATIENCE):
        return [entry async for entry in log.read(after)]


async def test_a_session_that_was_ended_on_one_replica_has_ended_on_each(replica: Replica, another: Replica) -> None:
    await replica.sessions.end(session("a"))

    for side in (replica, another):
        assert await side.sessions.has_ended(session("a"))
        assert not await side.sessions.has_ended(session("b"))


async def test_the_level_of_log_messages_is_the_same_everywhere(replica: Replica, another: Replica) -> None:
    await replica.sessions.set_log_level(session("a"), "warning")

    for side in (replica, another):
        assert await side.sessions.log_level(session("a")) == "warning"
        assert await side.sessions.log_level(session("b")) is None


async def test_a_stream_goes_on_where_it_broke_off_on_another_replica(replica: Replica, another: Replica) -> None:
    log = Log()
    log.append(b"1")
    name = await replica.sessions.keep(session("a"), log)
    log.append(b"2")
    elsewhere = await found(another.sessions, "a", name)
    reading = asyncio.create_task(read(elsewhere, after=1))
    log.append(b"3")
    await asyncio.sleep(0)
    log.end(b"answer")

    assert await reading == [(2, b"2"), (3, b"3"), (4, b"answer")]
    assert await read(await found(another.sessions, "a", name), after=3) == [(4, b"answer")]


async def test_a_long_stream_keeps_its_numbers(replica: Replica, another: Replica) -> None:
    log = Log()
    name = await replica.sessions.keep(session("a"), log)
    for number in range(1, 401):
        log.append(str(number).encode())
        if number % 50 == 0:
            await asyncio.sleep(0)
    log.end(b"answer")
    await found(another.sessions, "a", name)

    entries = await read(await found(another.sessions, "a", name), after=300)

    assert entries[-1] == (401, b"answer")
    assert (400, b"400") in entries


async def test_another_sessions_stream_is_not_found(replica: Replica, another: Replica) -> None:
    log = Log()
    name = await replica.sessions.keep(session("a"), log)
    log.end(b"secret")
    await found(another.sessions, "a", name)

    for side in (replica, another):
        assert await side.sessions.find(session("b"), name) is None
        assert await side.sessions.find(session("a"), "nothing") is None


@pytest.mark.parametrize("kind", ["redis"], indirect=True)
class TestInRedis:
    """What only shared sessions have to do."""

    async def test_everything_expires_and_names_nobody(self, kind: Kind, replica: Replica, another: Replica) -> None:
        await replica.sessions.end(session("ended", seconds=30))
        await replica.sessions.set_log_level(session("level", seconds=30), "info")
        ended, running = Log(), Log()
        running.append(b"1")
        names = [await replica.sessions.keep(session("a"), log) for log in (ended, running)]
        ended.end(b"answer")
        for name in names:
            await found(another.sessions, "a", name)

        lives = await lives_of(replica.redis)

        assert {key.split(":")[1] for key in lives} >= {"ended", "level", "messages"}
        assert all(0 < life <= 300_000 for life in lives.values())
        assert all(life <= 30_000 for key, life in lives.items() if ":ended:" in key or ":level:" in key)
        assert not [key for key in lives if "session" in key]

    async def test_nothing_is_followed_beyond_the_answer(self, kind: Kind, replica: Replica, another: Replica) -> None:
        log = Log()
        name = await replica.sessions.keep(session("a"), log)
        log.append(b"1")
        elsewhere = await found(another.sessions, "a", name)
        assert isinstance(another.sessions, RedisSessions)
        assert another.sessions._followed
        assert await found(another.sessions, "a", name) is elsewhere
        log.end(b"answer")

        assert (await read(elsewhere))[-1] == (2, b"answer")
        assert not another.sessions._followed and not another.sessions._tail._followed

    async def test_a_stream_whose_process_died_ends(self, kind: Kind, replica: Replica, another: Replica) -> None:
        log = Log()
        log.append(b"1")
        name = await replica.sessions.keep(session("a"), log)
        elsewhere = await found(another.sessions, "a", name)
        redis = replica.redis
        assert redis is not None
        assert isinstance(replica.sessions, RedisSessions)
        await redis.run(lambda client: client.delete(redis.key("messages", "a", name)))

        assert await read(elsewhere) in ([], [(1, b"1")])
