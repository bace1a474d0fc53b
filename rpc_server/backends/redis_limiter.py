"""Limits that are the same on all replicas; while Redis is out of use, each process counts for itself."""

import asyncio
import secrets
from contextlib import suppress
from types import TracebackType
from typing import Any

from redis.asyncio import Redis

from rpc_server.backends.memory_limiter import MemoryLimiter
from rpc_server.backends.redis import Argument, RedisUnavailable, SharedRedis
from rpc_server.backends.redis_lane import Command
from rpc_server.calls.limits import Leave, ToolClass
from rpc_server.contract.limit import WINDOW_SECONDS, Decision

_MICROSECONDS = 1_000_000
_WINDOW_MICROSECONDS = round(WINDOW_SECONDS * _MICROSECONDS)


def taken(answer: Any, limit: int) -> Decision:
    """Return what the answer to `RedisLimiter.taking` says."""
    passes, passed, reset = map(int, answer)
    return Decision(passes == 1, limit, max(0, limit - passed), reset / _MICROSECONDS)


class RedisLimiter:
    """Counts in Redis, or in *fallback* without it."""

    def __init__(self, redis: SharedRedis, fallback: MemoryLimiter) -> None:
        self._redis = redis
        self._fallback = fallback
        self._take = redis.script("take")
        self._enter = redis.script("enter")
        self._leaving: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "RedisLimiter":
        """Have nothing to start."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give back what is being given back."""
        if self._leaving:
            await asyncio.wait(self._leaving)

    async def take(self, tenant_id: str, user_id: str, kind: ToolClass, limit: int) -> Decision:
        """Count one call, unless it is one too many."""
        command = self.taking(tenant_id, user_id, kind, limit)
        try:
            return await self._redis.ask("RedisLimiter.take", [command], lambda answers: taken(answers[0], limit))
        except RedisUnavailable:
            return await self._fallback.take(tenant_id, user_id, kind, limit)

    def taking(self, tenant_id: str, user_id: str, kind: ToolClass, limit: int) -> Command:
        """Return the command that counts one call."""
        key = self._redis.key("calls", tenant_id, user_id, kind)
        return self._redis.call_of(self._take, key, limit, _WINDOW_MICROSECONDS, secrets.token_bytes(8))

    async def enter(self, tenant_id: str, most: int, seconds: float) -> Leave | None:
        """Take one of the tenant's places."""
        key, place = self._redis.key("analyses", tenant_id), secrets.token_bytes(8)
        arguments: list[Argument] = [most, round(seconds * _MICROSECONDS), place]

        async def take_place(redis: Redis) -> bool:
            return int(await self._enter(keys=[key], args=arguments, client=redis)) == 1

        async def give_back() -> None:
            with suppress(RedisUnavailable):  # then the place is free when its time is over
                await self._redis.run(lambda redis: redis.zrem(key, place))

        async def leave() -> None:
            leaving = asyncio.create_task(give_back())
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)
            await asyncio.shield(leaving)  # whoever calls a call off does so more than once

        try:
            return leave if await self._redis.run(take_place) else None
        except RedisUnavailable:
            return await self._fallback.enter(tenant_id, most, seconds)
