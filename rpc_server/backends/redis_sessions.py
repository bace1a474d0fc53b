"""What replicas share of sessions: which were ended, and streams that any of them can go on with.

While Redis is out of use, each process knows what it has itself ended, written and been told.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any

from redis.asyncio import Redis

from rpc_server.backends.redis import RedisUnavailable, SharedRedis
from rpc_server.backends.redis_tail import Followed, Message, Tail
from rpc_server.backends.session_memory import LocalSessions, Log
from rpc_server.protocol.session import Session

_KEPT_SECONDS = 60.0
# Longer than any call runs: a stream whose process died is forgotten then.
_RUNNING_SECONDS = 300.0
_MOST_MESSAGES = 256
# Streams of other processes that are read here.
_MOST_FOLLOWED = 500
_PAUSE_SECONDS = 0.5


class RedisSessions:
    """Keeps everything in *local* too."""

    def __init__(self, redis: SharedRedis, tail: Tail, local: LocalSessions) -> None:
        self._redis = redis
        self._tail = tail
        self._local = local
        self._copying: set[asyncio.Task[None]] = set()
        self._followed: dict[str, tuple[Log, Followed]] = {}

    async def __aenter__(self) -> "RedisSessions":
        """Have nothing to start."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop copying."""
        for task in self._copying:
            task.cancel()
        if self._copying:
            await asyncio.wait(self._copying)

    async def end(self, session: Session) -> None:
        """Remember that a session was ended, for as long as its id would else be good."""
        await self._local.end(session)
        with suppress(RedisUnavailable):
            key, until = self._redis.key("ended", session.id), round(session.expires * 1000)
            await self._redis.run(lambda redis: redis.set(key, b"", pxat=until))

    async def has_ended(self, session: Session) -> bool:
        """Tell whether a session was ended, here or elsewhere."""
        if await self._local.has_ended(session):
            return True
        try:
            exists: int = await self._redis.run(lambda redis: redis.exists(self._redis.key("ended", session.id)))
        except RedisUnavailable:
            return False
        return exists == 1

    async def set_log_level(self, session: Session, level: str) -> None:
        """Remember from which level on a session wants log messages."""
        await self._local.set_log_level(session, level)
        with suppress(RedisUnavailable):
            key, until = self._redis.key("level", session.id), round(session.expires * 1000)
            await self._redis.run(lambda redis: redis.set(key, level, pxat=until))

    async def log_level(self, session: Session) -> str | None:
        """Return from which level on a session wants log messages."""
        try:
            level: Any = await self._redis.run(lambda redis: redis.get(self._redis.key("level", session.id)))
        except RedisUnavailable:
            level = None
        return await self._local.log_level(session) if level is None else level.decode()

    async def keep(self, session: Session, log: Log) -> str:
        """Let a stream be found again, here and elsewhere."""
        name = await self._local.keep(session, log)
        copying = asyncio.create_task(self._copy(self._stream_key(session, name), log), name=f"copy of {name}")
        self._copying.add(copying)
        copying.add_done_callback(self._copying.discard)
        return name

    async def find(self, session: Session, stream: str) -> Log | None:
        """Return a stream of a session, whichever process writes it."""
        found = await self._local.find(session, stream)
        if found is not None:
            return found
        key = self._stream_key(session, stream)
        with suppress(RedisUnavailable):
            exists: int = await self._redis.run(lambda redis: redis.exists(key))
            if exists and key not in self._followed and len(self._followed) < _MOST_FOLLOWED:
                self._follow(key)
        return self._followed[key][0] if key in self._followed else None

    async def _copy(self, key: str, log: Log) -> None:
        """Write a log into Redis as it grows; while that is out of use, later."""
        async for number, message in log.read():
            is_last = log.ended is not None and number == log.forgotten + len(log.messages)
            append = _appending(key, number, message, is_last=is_last)
            while not log.ended_before(time.time() - _KEPT_SECONDS):
                with suppress(RedisUnavailable):
                    await self._redis.run(append)
                    break
                await asyncio.sleep(_PAUSE_SECONDS)

    def _follow(self, key: str) -> None:
        log = Log()

        async def take(messages: Sequence[Message]) -> None:
            for id, fields in messages:
                before = int(id.partition(b"-")[0]) - 1
                if before != log.forgotten + len(log.messages):  # some are missing, so what was before them goes too
                    log.messages.clear()
                    log.forgotten = before
                if b"last" in fields:
                    log.end(fields[b"message"])
                    leave()
                else:
                    log.append(fields[b"message"])

        async def gone() -> None:
            log.break_off()
            leave()

        def leave() -> None:
            self._tail.leave(self._followed.pop(key)[1])

        self._followed[key] = log, self._tail.follow(key, take, gone)

    def _stream_key(self, session: Session, name: str) -> str:
        return self._redis.key("messages", session.id, name)


def _appending(key: str, number: int, message: bytes, *, is_last: bool) -> Callable[[Redis], Awaitable[None]]:
    """Return what writes one message of a log; it may have been written by an attempt whose answer came too late."""
    fields: dict[Any, Any] = {b"message": message, **({b"last": b""} if is_last else {})}
    known_seconds = _KEPT_SECONDS if is_last else _RUNNING_SECONDS

    async def append(redis: Redis) -> None:
        async with redis.pipeline(transaction=False) as pipeline:
            pipeline.xadd(key, fields, id=f"{number}-0", maxlen=_MOST_MESSAGES, approximate=False)
            pipeline.pexpire(key, round(known_seconds * 1000))
            added, _ = await pipeline.execute(raise_on_error=False)
        if isinstance(added, Exception) and "equal or smaller" not in str(added):
            raise added

    return append
