"""What is told of Redis: whether it is used, how often it failed, and what was asked of it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import SecretStr

from rpc_server.backends.shared import Shared
from rpc_server.calls.measures import REDIS_FAILURES, REDIS_UP
from rpc_server.calls.tracing import NO_TRACES, Attributes, Remote, Span, SpanKind
from rpc_server.settings import Settings
from tests.redis.server import RedisServer
from tests.unit.test_call_figures import Tally

_PATIENCE = 30.0


class Names:
    """Keeps the names of spans, and what they say from the start."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, Attributes, SpanKind]] = []

    @contextmanager
    def span(
        self, name: str, attributes: Attributes, *, kind: SpanKind = "internal", remote: Remote | None = None
    ) -> Iterator[Span]:
        self.kept.append((name, attributes, kind))
        with NO_TRACES.span(name, attributes) as span:
            yield span


def shared(url: str, tally: Tally, traces: Any = NO_TRACES) -> Shared:
    settings = Settings(redis_url=SecretStr(url), redis_timeout_seconds=5.0)
    return Shared(settings, alone=False, metrics=tally, traces=traces)


async def changed(tally: Tally, value: float) -> None:
    async with asyncio.timeout(_PATIENCE):
        while tally.of(REDIS_UP) != {(): value}:  # noqa: ASYNC110 - the other side of a socket sets no event
            await asyncio.sleep(0.02)


async def test_each_time_that_redis_goes_is_counted_and_its_state_is_known(own_redis: RedisServer) -> None:
    tally = Tally()
    async with shared(own_redis.url, tally) as replica:
        assert (tally.of(REDIS_UP), tally.of(REDIS_FAILURES)) == ({(): 1}, {})
        own_redis.kill()
        for _ in range(3):
            await replica.cache.look_up("tenant", b"key")
        assert (tally.of(REDIS_UP), tally.of(REDIS_FAILURES)) == ({(): 0}, {(): 1})
        own_redis.start()
        await changed(tally, 1)

    assert tally.of(REDIS_FAILURES) == {(): 1}


async def test_a_redis_that_is_not_there_at_the_start_is_told_of(own_redis: RedisServer) -> None:
    own_redis.kill()
    tally = Tally()
    async with shared(own_redis.url, tally):
        assert (tally.of(REDIS_UP), tally.of(REDIS_FAILURES)) == ({(): 0}, {(): 1})


async def test_its_spans_are_named_by_our_methods_and_tell_no_key(own_redis: RedisServer) -> None:
    traces = Names()
    async with shared(own_redis.url, Tally(), traces) as replica:
        looked = await replica.cache.look_up("tenant-zuleica", b"key")
        assert looked.generation is not None
        await replica.cache.forget("tenant-zuleica")
        await replica.limiter.take("tenant-zuleica", "user-zuleica", "read", 5)

    names = [name for name, _, _ in traces.kept]
    assert {"redis RedisCache.look_up", "redis RedisCache.forget", "redis RedisLimiter.take"} <= set(names)
    assert {kind for _, _, kind in traces.kept} == {"client"}
    assert "zuleica" not in str(traces.kept)
