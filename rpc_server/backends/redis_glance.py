"""What a call that may be answered from the cache needs of Redis, in one round trip."""

from typing import Any

from rpc_server.backends.redis import RedisUnavailable, SharedRedis
from rpc_server.backends.redis_cache import RedisCache, found
from rpc_server.backends.redis_limiter import RedisLimiter, taken
from rpc_server.calls.cache import Entry
from rpc_server.calls.limits import ToolClass
from rpc_server.contract.limit import Decision


class RedisGlance:
    """Counts a call and looks its answer up; `RedisLimiter.take` and `RedisCache.look_up` do so one after the other."""

    def __init__(self, redis: SharedRedis, limiter: RedisLimiter, cache: RedisCache) -> None:
        self._redis = redis
        self._limiter = limiter
        self._cache = cache

    async def look(
        self, tenant_id: str, user_id: str, kind: ToolClass, limit: int, key: bytes
    ) -> tuple[Decision | None, Entry | None]:
        """Return what the limit says, and the entry if there is one; both None while Redis is out of use.

        A *limit* of 0 is none, and nothing is counted.
        """
        new, commands = self._cache.looking(tenant_id, key)
        counting = [self._limiter.taking(tenant_id, user_id, kind, limit)] if limit else []

        def read(answers: list[Any]) -> tuple[Decision | None, Entry | None]:
            decision = taken(answers[0], limit) if counting else None
            return decision, found(answers[len(counting) :], new).entry

        try:
            return await self._redis.ask("RedisGlance.look", [*counting, *commands], read)
        except RedisUnavailable:
            return None, None
