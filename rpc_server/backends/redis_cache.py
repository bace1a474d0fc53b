"""The cache that all replicas share; while Redis is out of use, nothing is cached.

A tenant's generation is a random name under a key of its own. An entry bears the generation that it
was made under and counts only while that is still the tenant's. So one deleted key forgets all of a
tenant's answers, and a key that Redis loses revives none.
"""

import secrets
import struct
from contextlib import suppress
from typing import Any

from redis.asyncio import Redis

from rpc_server.backends.redis import RedisUnavailable, SharedRedis
from rpc_server.backends.redis_lane import Command
from rpc_server.calls.cache import Entry, Looked

# Longer than any entry is kept.
_GENERATION_MILLISECONDS = 24 * 3600 * 1000
# Generation, as of, expires, length of the words.
_HEAD = struct.Struct(">16sddI")
# Tenants whose generation could not be ended; beyond them, answers are out of date until they expire.
_MOST_OVERDUE = 10_000


class RedisCache:
    """Looks up generation and entry in one round trip."""

    def __init__(self, redis: SharedRedis) -> None:
        self._redis = redis
        self._overdue: set[str] = set()
        redis.before_use.append(self._catch_up)

    async def look_up(self, tenant_id: str, key: bytes) -> Looked:
        """Return the entry of the tenant's present generation, if there is one."""
        new, commands = self.looking(tenant_id, key)
        try:
            return await self._redis.ask("RedisCache.look_up", commands, lambda answers: found(answers, new))
        except RedisUnavailable:
            return Looked(None)

    def looking(self, tenant_id: str, key: bytes) -> tuple[bytes, list[Command]]:
        """Return what the generation is if there is none yet, and the commands that ask for it and for the entry."""
        new = secrets.token_bytes(16)
        begin = ("SET", self._generation_key(tenant_id), new, "NX", "GET", "PX", _GENERATION_MILLISECONDS)
        return new, [begin, ("GET", self._entry_key(tenant_id, key))]

    async def keep(self, tenant_id: str, key: bytes, generation: str, entry: Entry) -> None:
        """Keep an entry, for as long as it can be right."""
        name, packed = self._entry_key(tenant_id, key), _packed(entry, generation)
        milliseconds = round((entry.expires - entry.as_of) * 1000)
        if milliseconds > 0:
            with suppress(RedisUnavailable):
                await self._redis.run(lambda redis: redis.set(name, packed, px=milliseconds))

    async def forget(self, tenant_id: str) -> bool:
        """Begin a new generation; where that cannot be done now, as soon as Redis is back."""
        try:
            await self._redis.run(lambda redis: redis.delete(self._generation_key(tenant_id)))
        except RedisUnavailable:
            if len(self._overdue) < _MOST_OVERDUE:
                self._overdue.add(tenant_id)
            return False
        return True

    async def _catch_up(self, redis: Redis) -> None:
        """Forget what could not be forgotten, before anybody looks."""
        overdue = list(self._overdue)
        if overdue:
            await redis.delete(*map(self._generation_key, overdue))
            self._overdue.difference_update(overdue)

    def _generation_key(self, tenant_id: str) -> str:
        return self._redis.key("generation", tenant_id)

    def _entry_key(self, tenant_id: str, key: bytes) -> str:
        return self._redis.key("answer", tenant_id, key.hex())


def found(answers: list[Any], new: bytes) -> Looked:
    """Return what the answers to `RedisCache.looking` say; raises ValueError where they are none of ours."""
    known, packed = answers
    generation: bytes = new if known is None else known
    if len(generation) != len(new):
        raise ValueError("no generation of ours")
    return Looked(generation.hex(), None if packed is None else _unpacked(packed, generation))


def _packed(entry: Entry, generation: str) -> bytes:
    words = entry.words.encode()
    return _HEAD.pack(bytes.fromhex(generation), entry.as_of, entry.expires, len(words)) + words + entry.body


def _unpacked(packed: bytes, generation: bytes) -> Entry | None:
    """Return the entry, if it is of *generation*."""
    kept_under, as_of, expires, length = _HEAD.unpack_from(packed)
    if kept_under != generation:
        return None
    words = _HEAD.size + length
    return Entry(packed[words:], packed[_HEAD.size : words].decode(), as_of, expires)
