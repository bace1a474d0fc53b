"""Redis frozen, killed, started again, full, read-only, or something else altogether: calls go on, and it heals."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from rpc_server.backends.redis import RedisUnavailable, SharedRedis
from rpc_server.calls.cache import Entry
from rpc_server.calls.streams import Event, Owner
from rpc_server.calls.writes import STALE
from tests.conftest import Crm, Server, StartServer
from tests.redis.conftest import Replica, StartReplicas
from tests.redis.polling import PATIENCE, until
from tests.redis.server import RedisServer, free_port
from tests.redis.test_replicas import ALL, TENANT, decision, demo, undecided

__all__ = ["demo"]

# Far above what is promised, for a machine that does much else; a hang would be far above this.
MOST_SECONDS = 2.0
ME = Owner("tenant", "me")

Trouble = Callable[[RedisServer], None]


def freeze(server: RedisServer) -> None:
    server.freeze()


def kill(server: RedisServer) -> None:
    server.kill()


def fill_up(server: RedisServer) -> None:
    """Leave no memory for anything more."""
    server.command("SET", "ballast", "x" * 60_000)
    server.command("CONFIG", "SET", "maxmemory-policy", "noeviction")
    server.command("CONFIG", "SET", "maxmemory", "1mb")


def make_read_only(server: RedisServer) -> None:
    server.command("REPLICAOF", "127.0.0.1", "1")


def take_all_rights(server: RedisServer) -> None:
    server.command("ACL", "SETUSER", "default", "-@all")


def mend(server: RedisServer, trouble: Trouble) -> None:
    match trouble.__name__:
        case "freeze":
            server.thaw()
        case "kill":
            server.start()
        case "fill_up":
            server.command("CONFIG", "SET", "maxmemory", "0")
        case "make_read_only":
            server.command("REPLICAOF", "NO", "ONE")
        case _:
            server.kill()
            server.start()


TROUBLES = [freeze, kill, fill_up, make_read_only, take_all_rights]


@contextmanager
def promptly() -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < MOST_SECONDS


async def standing(server: Server) -> tuple[int, str, str]:
    async with server.session.get(f"{server.url}/ready") as response:
        ready = await response.json()
        return response.status, ready["status"], ready["dependencies"]["redis"]


async def healed(server: Server) -> bool:
    return await standing(server) == (200, "ok", "ok")


async def counted(server: Server) -> tuple[int, bool]:
    with promptly():
        status, answer = await server.execute("get_leads_count", ALL, server.bearer(TENANT))
    assert status == 200, answer
    return answer["result"]["qualified_leads"], answer["cache"]["hit"]


@pytest.fixture
async def server(demo: Crm, start_server: StartServer, own_redis: RedisServer) -> Server:
    return await start_server(
        redis_url=SecretStr(own_redis.url), cache="auto", rate_limit_read=1000, rate_limit_write=1000
    )


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_calls_go_on_and_it_heals_by_itself(
    demo: Crm, server: Server, own_redis: RedisServer, trouble: Trouble
) -> None:
    before, _ = await counted(server)
    await until(lambda: is_hit(server))
    trouble(own_redis)
    try:
        for _ in range(3):
            assert (await counted(server))[0] == before
        assert not (await counted(server))[1]
        with promptly():
            assert await standing(server) == (200, "degraded", "degraded")
        with promptly():
            status, made = await server.execute("qualify_lead", decision(await undecided(demo)), server.bearer(TENANT))
        assert (status, made["result"]["changed"], made["result"]["warnings"]) == (200, True, [STALE])
        assert await counted(server) == (before + 1, False)
    finally:
        mend(own_redis, trouble)

    await until(lambda: healed(server))
    assert (await counted(server))[0] == before + 1  # what was cached before is not back
    await until(lambda: is_hit(server))


async def is_hit(server: Server) -> bool:
    return (await counted(server))[1]


async def test_a_server_starts_without_its_redis_and_finds_it_later(
    demo: Crm, start_server: StartServer, own_redis: RedisServer
) -> None:
    own_redis.kill()
    server = await start_server(redis_url=SecretStr(own_redis.url), cache="auto")
    assert await standing(server) == (200, "degraded", "degraded")
    await counted(server)
    own_redis.start()

    await until(lambda: healed(server))
    await until(lambda: is_hit(server))


async def test_without_redis_each_process_limits_for_itself(
    demo: Crm, start_server: StartServer, own_redis: RedisServer
) -> None:
    server = await start_server(redis_url=SecretStr(own_redis.url), rate_limit_read=3)
    own_redis.kill()

    statuses = [(await server.execute("list_agents", {}, server.bearer(TENANT)))[0] for _ in range(5)]

    assert statuses == [200, 200, 200, 429, 429]


async def test_a_change_is_told_that_figures_may_be_stale_only_in_the_answer_of_which_it_is_true(
    demo: Crm, server: Server, own_redis: RedisServer
) -> None:
    change = decision(await undecided(demo), idempotency_key="k")
    own_redis.kill()
    _, first = await server.execute("qualify_lead", change, server.bearer(TENANT))
    assert first["result"]["warnings"] == [STALE]
    own_redis.start()
    await until(lambda: healed(server))

    _, repeated = await server.execute("qualify_lead", change, server.bearer(TENANT))

    assert (repeated["result"]["idempotency"]["replayed"], repeated["result"]["warnings"]) == (True, [])


NONSENSE = {
    "silence": b"",
    "a web server": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
    "yes to everything": b"+OK\r\n" * 100,
    "numbers": b":7\r\n" * 100,
    "nothing": b"$-1\r\n" * 100,
    "a list without end": b"*1000000\r\n" + b":1\r\n" * 100,
    "a text without end": b"$1000000000\r\n" + b"x" * 100,
    "negative": b"$-7\r\n*-9\r\n",
    "errors": b"-ERR no\r\n" * 100,
    "noise": secrets.token_bytes(1000),
}


@asynccontextmanager
async def impostor(said: bytes) -> AsyncIterator[str]:
    """Answer whatever is said with the same bytes."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while await reader.read(65536):
                writer.write(said)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
    server.close()


@pytest.mark.parametrize("said", NONSENSE.values(), ids=NONSENSE)
async def test_whatever_else_answers_at_its_address_is_in_nobodys_way(replicas_of: StartReplicas, said: bytes) -> None:
    async with impostor(said) as url:
        replica = await replicas_of("redis", url).start(timeout_seconds=0.1)
        for _ in range(3):
            await used(replica)
        assert replica.redis is not None and not replica.redis.in_use


async def used(replica: Replica) -> None:
    """Use everything as calls do."""
    with promptly():
        looked = await replica.cache.look_up("tenant", b"key")
        assert looked.entry is None
        if looked.generation is not None:
            await replica.cache.keep("tenant", b"key", looked.generation, Entry(b"{}", "", 0, 1e12))
        assert not await replica.cache.forget("tenant")
    with promptly():
        assert (await replica.limiter.take("tenant", "user", "read", 1000)).passes
        leave = await replica.limiter.enter("tenant", 1000, 60)
        assert leave is not None
        await leave()
    name = secrets.token_hex(8)
    with promptly():
        await replica.relay.open(ME, name, ())
        await replica.relay.publish(ME, name, Event(1, "done", 1.0, b"{}"))
        assert [event.id async for event in replica.relay.watch(ME, name, 0, 0)] == [1]


async def test_a_watcher_of_another_replica_gets_the_end_that_redis_did_not_take_in_time(
    replicas_of: StartReplicas, own_redis: RedisServer
) -> None:
    replicas = replicas_of("redis", own_redis.url)
    one, other = await replicas.start(timeout_seconds=1), await replicas.start(timeout_seconds=1)
    await one.relay.open(ME, "call", ())
    await one.relay.publish(ME, "call", Event(1, "analyzing", 0.1, b"{}"))
    watching = other.relay.watch(ME, "call", 0, 5)
    assert (await anext(watching)).id == 1
    own_redis.freeze()
    await one.relay.publish(ME, "call", Event(2, "done", 1.0, b"{}"))
    own_redis.thaw()

    async with asyncio.timeout(PATIENCE):
        assert [event.id async for event in watching] == [2]


async def test_what_could_not_be_forgotten_is_forgotten_before_anybody_looks(
    replicas_of: StartReplicas, own_redis: RedisServer
) -> None:
    replicas = replicas_of("redis", own_redis.url)
    one, other = await replicas.start(timeout_seconds=1), await replicas.start()
    generation = (await one.cache.look_up("tenant", b"key")).generation
    assert generation is not None
    await one.cache.keep("tenant", b"key", generation, Entry(b"{}", "stale", 0, 1e12))
    own_redis.freeze()
    assert not await one.cache.forget("tenant")
    own_redis.thaw()

    async def is_back() -> bool:
        return (await one.cache.look_up("tenant", b"key")).generation is not None

    await until(is_back)
    for replica in (one, other):
        assert (await replica.cache.look_up("tenant", b"key")).entry is None


async def test_one_line_for_each_change_of_state_and_no_secret_in_it(
    replicas_of: StartReplicas, own_redis: RedisServer
) -> None:
    url = own_redis.url.replace("redis://", "redis://default:hunter2@")
    with capture_logs() as lines:
        replica = await replicas_of("redis", url).start(timeout_seconds=1)
        redis = replica.redis
        assert redis is not None
        states: list[bool] = []
        redis.on_change.append(states.append)
        for _ in range(2):
            own_redis.kill()
            for _ in range(20):
                await replica.cache.look_up("tenant", b"key")
            own_redis.start()
            await until(lambda: in_use(redis))

    said = [(line["log_level"], line["event"]) for line in lines if line["log_level"] != "debug"]
    assert said == [("warning", "redis is out of use"), ("info", "redis is in use again")] * 2
    assert states == [False, True, False, True]
    assert "hunter2" not in str(lines)


async def in_use(redis: SharedRedis) -> bool:
    return redis.in_use


async def test_callers_that_are_cancelled_leave_connections_that_still_answer_right(
    replicas_of: StartReplicas, own_redis: RedisServer
) -> None:
    replica = await replicas_of("redis", own_redis.url).start()
    redis = replica.redis
    assert redis is not None
    for number in range(100):
        await redis.run(lambda client, number=number: client.set(f"k{number}", number))  # type: ignore[misc]

    async def get(number: int) -> int:
        answer: Any = await redis.run(lambda client: client.get(f"k{number % 100}"))
        return int(answer)

    for _ in range(20):
        tasks = [asyncio.create_task(get(number)) for number in range(100)]
        await asyncio.sleep(0.002)
        for task in tasks[::2]:
            task.cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(one == number for number, one in enumerate(done) if not isinstance(one, BaseException))
        assert not any(isinstance(one, Exception) for one in done)
    assert await asyncio.gather(*map(get, range(100))) == list(range(100))


async def test_an_address_that_is_none_is_refused_with_a_sentence_that_does_not_repeat_it() -> None:
    for url in ("http://secret@host", "secret", "redis://host:port", ""):
        with pytest.raises(ValueError, match="REDIS_URL must be like") as refusal:
            SharedRedis(url)
        assert "secret" not in str(refusal.value)


async def test_while_it_is_out_of_use_nobody_waits_for_it() -> None:
    async with SharedRedis(f"redis://127.0.0.1:{free_port()}/0") as redis:
        for _ in range(100):
            with pytest.raises(RedisUnavailable):
                await redis.run(lambda client: client.get("k"))
        assert not await redis.check()


async def test_a_process_does_not_take_its_own_slowness_for_that_of_redis(
    replicas_of: StartReplicas, own_redis: RedisServer
) -> None:
    replica = await replicas_of("redis", own_redis.url).start(timeout_seconds=0.1)
    redis = replica.redis
    assert redis is not None
    loop = asyncio.get_running_loop()
    for _ in range(3):
        looking = asyncio.create_task(replica.cache.look_up("tenant", b"key"))
        await asyncio.sleep(0)
        loop.call_soon(time.sleep, 0.3)

        assert (await looking).generation is not None
    assert redis.in_use


async def test_a_thousand_calls_at_once_are_no_trouble(replicas_of: StartReplicas, own_redis: RedisServer) -> None:
    replica = await replicas_of("redis", own_redis.url).start(timeout_seconds=0.25)
    assert replica.redis is not None

    looked = await asyncio.gather(*(replica.cache.look_up(f"tenant {n}", b"key") for n in range(1000)))

    assert all(one.generation is not None for one in looked)
    assert replica.redis.in_use
