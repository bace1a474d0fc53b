"""What replicas share: in Redis where there is one, else this process's own."""

import time
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING

from rpc_server.backends.memory_cache import MemoryCache
from rpc_server.backends.memory_limiter import MemoryLimiter
from rpc_server.backends.session_memory import LocalSessions, SessionMemory
from rpc_server.calls.cache import Cache, NoCache
from rpc_server.calls.limits import Limiter, Limits
from rpc_server.calls.measures import REDIS_FAILURES, REDIS_UP
from rpc_server.calls.relay import MemoryRelay
from rpc_server.calls.telemetry import NO_METRICS, Metrics
from rpc_server.calls.tracing import NO_TRACES, Traces
from rpc_server.settings import Settings

if TYPE_CHECKING:
    from rpc_server.backends.redis import SharedRedis
    from rpc_server.backends.redis_glance import RedisGlance
    from rpc_server.backends.redis_relay import RedisRelay


class Shared:
    """Cache, limiter, relay and memory of sessions of a process; *alone*: there is no other one."""

    def __init__(
        self, settings: Settings, *, alone: bool, metrics: Metrics = NO_METRICS, traces: Traces = NO_TRACES
    ) -> None:
        """Raise ValueError where REDIS_URL cannot be one."""
        self.redis = open_redis(settings)
        self.limits = Limits(
            read=settings.rate_limit_read,
            write=settings.rate_limit_write,
            analysis=settings.rate_limit_analysis,
            analyses_at_a_time=settings.analysis_concurrency,
        )
        self.cache: Cache = NoCache()
        # A process's own cache would not notice what another one writes.
        if settings.cache == "memory" or (settings.cache == "auto" and self.redis is None and alone):
            self.cache = MemoryCache(most_bytes=settings.cache_bytes)
        self.limiter: Limiter = MemoryLimiter(time.monotonic)
        self.relay: MemoryRelay | RedisRelay = MemoryRelay(metrics=metrics)
        self.sessions: SessionMemory = LocalSessions(time.time)
        self._open = AsyncExitStack()
        self.glance: RedisGlance | None = None
        self._contexts: tuple[AbstractAsyncContextManager[object], ...] = ()
        if self.redis is not None:
            self._put_into(self.redis, settings, metrics)
            self.redis.traces = traces

    def _put_into(self, redis: "SharedRedis", settings: Settings, metrics: Metrics) -> None:
        from rpc_server.backends.redis_cache import RedisCache
        from rpc_server.backends.redis_glance import RedisGlance
        from rpc_server.backends.redis_limiter import RedisLimiter
        from rpc_server.backends.redis_relay import RedisRelay
        from rpc_server.backends.redis_sessions import RedisSessions
        from rpc_server.backends.redis_tail import Tail

        tail = Tail(redis)
        limiter = self.limiter = RedisLimiter(redis, MemoryLimiter(time.monotonic))
        if settings.cache == "auto":
            cache = self.cache = RedisCache(redis)
            self.glance = RedisGlance(redis, limiter, cache)
        relay = self.relay = RedisRelay(redis, tail, MemoryRelay(metrics=metrics))
        sessions = self.sessions = RedisSessions(redis, tail, LocalSessions(time.time))
        self._contexts = (redis, limiter, tail, relay, sessions)

        def tell(in_use: bool) -> None:
            metrics.put(REDIS_UP, in_use)
            if not in_use:
                metrics.count(REDIS_FAILURES)

        metrics.put(REDIS_UP, True)
        redis.on_change.append(tell)

    async def __aenter__(self) -> "Shared":
        """Connect, where there is something to connect to."""
        for context in self._contexts:
            await self._open.enter_async_context(context)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close what was opened."""
        await self._open.aclose()


def open_redis(settings: Settings) -> "SharedRedis | None":
    """Return the client of REDIS_URL, not yet connected; raises ValueError where that cannot be one."""
    if settings.redis_url is None:
        return None
    # Here and not above: the library takes half a second and 15 MB, and most who try the server have no Redis.
    from rpc_server.backends.redis import SharedRedis

    return SharedRedis(
        settings.redis_url.get_secret_value(),
        prefix=settings.redis_prefix,
        timeout_seconds=settings.redis_timeout_seconds,
    )
