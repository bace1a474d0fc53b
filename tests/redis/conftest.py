"""A Redis for all tests of this folder, one of its own for a test that breaks it, and replicas that share it."""

import os
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import pytest

from rpc_server.backends.memory_cache import MemoryCache
from rpc_server.backends.memory_limiter import MemoryLimiter
from rpc_server.backends.redis import SharedRedis
from rpc_server.backends.redis_cache import RedisCache
from rpc_server.backends.redis_limiter import RedisLimiter
from rpc_server.backends.redis_relay import RedisRelay
from rpc_server.backends.redis_sessions import RedisSessions
from rpc_server.backends.redis_tail import Tail
from rpc_server.backends.session_memory import LocalSessions, SessionMemory
from rpc_server.calls.cache import Cache
from rpc_server.calls.limits import Limiter
from rpc_server.calls.relay import MemoryRelay
from rpc_server.calls.streams import Relay
from tests.redis.server import RedisServer, running_redis

# A busy machine is no broken Redis.
PATIENT_SECONDS = 30.0

Kind: TypeAlias = Literal["memory", "redis"]


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The server that all tests share: TEST_REDIS_URL, else one of our own."""
    given = os.environ.get("TEST_REDIS_URL")
    if given:
        yield given
        return
    with running_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server.url


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A server that a test may break."""
    with running_redis(tmp_path) as server:
        yield server


@dataclass(slots=True)
class Replica:
    """What one process has."""

    cache: Cache
    limiter: Limiter
    relay: Relay
    sessions: SessionMemory
    redis: SharedRedis | None = None


class Replicas:
    """Starts replicas that share what there is to share: a Redis, or (memory) everything."""

    def __init__(self, kind: Kind, url: str, stack: AsyncExitStack) -> None:
        self.prefix = f"test-{secrets.token_hex(6)}"
        self._kind = kind
        self._url = url
        self._stack = stack
        self._only: Replica | None = None

    async def start(self, *, timeout_seconds: float = PATIENT_SECONDS, known_seconds: float = 15.0) -> Replica:
        """Start one more; in memory there is only one, which is each of them."""
        if self._kind == "memory":
            self._only = self._only or Replica(
                MemoryCache(), MemoryLimiter(time.monotonic), MemoryRelay(), LocalSessions(time.time)
            )
            return self._only
        enter = self._stack.enter_async_context
        redis = await enter(SharedRedis(self._url, prefix=self.prefix, timeout_seconds=timeout_seconds))
        tail = await enter(Tail(redis, every_seconds=0.01))
        relay = await enter(RedisRelay(redis, tail, MemoryRelay(), known_seconds=known_seconds))
        sessions = await enter(RedisSessions(redis, tail, LocalSessions(time.time)))
        limiter = await enter(RedisLimiter(redis, MemoryLimiter(time.monotonic)))
        return Replica(RedisCache(redis), limiter, relay, sessions, redis)


StartReplicas = Callable[[Kind, str], Replicas]


@pytest.fixture
async def replicas_of() -> AsyncIterator[StartReplicas]:
    """Make replicas on a server of the test's choice."""
    async with AsyncExitStack() as stack:
        yield lambda kind, url: Replicas(kind, url, stack)


@pytest.fixture(params=["memory", "redis"])
def kind(request: pytest.FixtureRequest) -> Kind:
    """Where what is shared is kept."""
    kind: Kind = request.param
    return kind


@pytest.fixture
def replicas(kind: Kind, replicas_of: StartReplicas, redis_url: str) -> Replicas:
    """Replicas of either kind."""
    return replicas_of(kind, redis_url)


@pytest.fixture
async def replica(replicas: Replicas) -> Replica:
    """One of them."""
    return await replicas.start()


@pytest.fixture
async def another(replicas: Replicas, replica: Replica) -> Replica:
    """Another one (in memory: the same)."""
    return await replicas.start()
