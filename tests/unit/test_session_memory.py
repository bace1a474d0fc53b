"""What is remembered of sessions, and a request's log."""

import asyncio
import time

import pytest

from rpc_server.backends.session_memory import LocalSessions, Log
from rpc_server.protocol.session import Session
from rpc_server.protocol.versions import V2025_11_25


def session(name: str, expires: float = 2e9) -> Session:
    return Session(name, V2025_11_25, expires)


async def read(log: Log, after: int = 0) -> list[tuple[int, bytes]]:
    return [entry async for entry in log.read(after)]


async def test_whoever_comes_late_reads_from_where_it_left_off() -> None:
    log = Log()
    for message in (b"a", b"b"):
        log.append(message)
    log.end(b"c")

    assert await read(log) == [(1, b"a"), (2, b"b"), (3, b"c")]
    assert await read(log, after=2) == [(3, b"c")]
    assert await read(log, after=9) == []


async def test_two_read_at_a_time_what_is_still_being_written() -> None:
    log = Log()
    readers = [asyncio.create_task(read(log)) for _ in range(2)]
    await asyncio.sleep(0)
    log.append(b"a")
    await asyncio.sleep(0)
    log.end(b"b")

    assert await asyncio.gather(*readers) == [[(1, b"a"), (2, b"b")]] * 2


async def test_after_the_answer_nothing_more_is_said() -> None:
    log = Log()
    log.end(b"answer")
    log.append(b"too late")

    assert await read(log) == [(1, b"answer")]


async def test_a_long_log_forgets_its_beginning_and_keeps_its_numbers() -> None:
    log = Log()
    for n in range(300):
        log.append(str(n).encode())
    log.end(b"answer")

    entries = await read(log, after=10)

    assert len(entries) == 256
    assert entries[-1] == (301, b"answer")


async def test_readers_that_can_come_back_are_let_go() -> None:
    log = Log()
    log.append(b"a")
    log.release()

    assert [entry async for entry in log.read(is_releasable=True)] == [(1, b"a")]


async def test_an_ended_session_is_known_until_its_id_is_no_good_anyway() -> None:
    now = 1000.0
    memory = LocalSessions(lambda: now)
    await memory.end(session("old", expires=1001.0))
    assert await memory.has_ended(session("old"))
    assert not await memory.has_ended(session("other"))
    now = 1001.0

    await memory.end(session("new"))

    assert not await memory.has_ended(session("old"))


async def test_a_stream_is_found_by_its_own_session_only_and_ends_with_it() -> None:
    memory, log = LocalSessions(time.time), Log()
    name = await memory.keep(session("a"), log)
    assert await memory.find(session("a"), name) is log
    assert await memory.find(session("b"), name) is None

    await memory.end(session("a"))

    assert await memory.find(session("a"), name) is None


@pytest.mark.parametrize("sessions", [1, 1000])
async def test_streams_are_bounded_and_the_oldest_goes(sessions: int) -> None:
    memory = LocalSessions(time.time)
    kept = [(n % sessions, await memory.keep(session(str(n % sessions)), Log())) for n in range(1000)]

    found = [await memory.find(session(str(owner)), name) is not None for owner, name in kept]

    assert sum(found) == (32 if sessions == 1 else 500)
    assert found[-1]
    assert not found[0]


async def test_an_answered_stream_is_kept_for_a_minute() -> None:
    now = time.time()
    memory, log = LocalSessions(lambda: now), Log()
    name = await memory.keep(session("a"), log)
    log.end(b"answer")
    now += 59
    await memory.keep(session("b"), Log())
    assert await memory.find(session("a"), name) is log
    now += 2

    await memory.keep(session("b"), Log())

    assert await memory.find(session("a"), name) is None
