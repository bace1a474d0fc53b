"""Follows streams of Redis: all of them are read together, so many times a second, by one task of the process.

No connection waits for anything, so a thousand watchers take none away from the calls; and since each
read says from where on, nothing is lost while Redis is out of reach.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, TypeAlias

import structlog
from redis.asyncio import Redis

from rpc_server.backends.redis import RedisUnavailable, SharedRedis

Fields: TypeAlias = dict[bytes, bytes]
Message: TypeAlias = tuple[bytes, Fields]

_STREAMS_A_READ = 100
_MESSAGES_A_READ = 64
# Every so many reads, see whether the streams are still there.
_READS_A_LOOK = 50

logger = structlog.get_logger("redis")


@dataclass(eq=False, slots=True)
class Followed:
    """A stream that is followed; *take* gets its messages as they come, the first time also none."""

    key: str
    take: Callable[[Sequence[Message]], Awaitable[None]]
    gone: Callable[[], Awaitable[None]]
    after: bytes = b"0"
    was_read: asyncio.Event = field(default_factory=asyncio.Event)


class Tail:
    """The task that reads; it does nothing while there is nothing to follow."""

    def __init__(self, redis: SharedRedis, *, every_seconds: float = 0.05) -> None:
        self._redis = redis
        self._every_seconds = every_seconds
        self._followed: dict[str, Followed] = {}
        self._poked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Tail":
        """Start the task."""
        self._task = asyncio.create_task(self._read_on(), name="redis streams")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])

    def follow(
        self,
        key: str,
        take: Callable[[Sequence[Message]], Awaitable[None]],
        gone: Callable[[], Awaitable[None]],
    ) -> Followed:
        """Read a stream from its beginning, soon and then on and on; *gone* is called when it has disappeared."""
        self._followed[key] = followed = Followed(key, take, gone)
        self._poked.set()
        return followed

    def leave(self, followed: Followed) -> None:
        """Follow it no more."""
        if self._follows(followed):
            del self._followed[followed.key]

    async def _read_on(self) -> None:
        reads = 0
        while True:
            if self._followed:
                await self._each(self._read)
                reads += 1
                if reads % _READS_A_LOOK == 0:
                    await self._each(self._look)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._every_seconds if self._followed else None):
                    await self._poked.wait()
            self._poked.clear()

    async def _each(self, work: Callable[[Sequence[Followed]], Awaitable[None]]) -> None:
        # The latest first: a call's end is read before the call that comes after it.
        followed = list(reversed(self._followed.values()))
        for start in range(0, len(followed), _STREAMS_A_READ):
            try:
                await work(followed[start : start + _STREAMS_A_READ])
            except RedisUnavailable:
                return
            except Exception as error:  # one stream's trouble must not end the task
                logger.exception("stream not read", error=type(error).__name__)

    async def _read(self, some: Sequence[Followed]) -> None:
        after: dict[Any, Any] = {followed.key: followed.after for followed in some}
        read: Any = await self._redis.run(lambda redis: redis.xread(after, count=_MESSAGES_A_READ))
        messages: dict[bytes, list[Message]] = dict(read)
        for followed in some:
            if not self._follows(followed):  # left meanwhile
                continue
            new = messages.get(followed.key.encode(), [])
            if new:
                followed.after = new[-1][0]
            if new or not followed.was_read.is_set():
                await followed.take(new)
            followed.was_read.set()

    async def _look(self, some: Sequence[Followed]) -> None:
        async def count(redis: Redis) -> list[int]:
            async with redis.pipeline(transaction=False) as pipeline:
                for followed in some:
                    pipeline.exists(followed.key)
                return await pipeline.execute()

        for followed, exists in zip(some, await self._redis.run(count), strict=True):
            if not exists and self._follows(followed):
                await followed.gone()

    def _follows(self, followed: Followed) -> bool:
        return self._followed.get(followed.key) is followed
