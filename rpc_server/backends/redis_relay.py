"""The relay of all replicas: each call's events in a stream of Redis, mirrored where somebody watches.

Watchers are served by the relay of their own process. While there are any, the streams of their owner
that other processes write are copied into it; so a watcher sees the same whichever replica it asks,
and while Redis is out of use, what its own replica runs.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import get_args

import orjson
from redis.asyncio import Redis

from rpc_server.backends.redis import Argument, RedisUnavailable, SharedRedis
from rpc_server.backends.redis_tail import Followed, Message, Tail
from rpc_server.calls.relay import LONGEST_ALIAS, MemoryRelay, still_running
from rpc_server.calls.streams import Event, Owner
from rpc_server.contract.progress import Stage

_KEPT_SECONDS = 60.0
# A call whose process has given no sign of life for so long has died with it.
_KNOWN_SECONDS = 15.0
_SIGN_OF_LIFE_SECONDS = 5.0
_MOST_EVENTS = 32
_MOST_CALLS = 256
# How long a watcher waits for what other processes have.
_CATCHING_UP_SECONDS = 0.5


@dataclass(eq=False, slots=True)
class _Run:
    """A call of this process; *last* is its last event while Redis has not got that."""

    keys: list[str]
    id: str
    call: bytes
    last: Event | None = None
    ended_at: float | None = None


class RedisRelay:
    """Publishes into the *local* relay and into Redis, and watches in the local one."""

    def __init__(
        self, redis: SharedRedis, tail: Tail, local: MemoryRelay, *, known_seconds: float = _KNOWN_SECONDS
    ) -> None:
        self._redis = redis
        self._tail = tail
        self._local = local
        self._known_seconds = known_seconds
        self._progress = redis.script("progress")
        self._process = secrets.token_hex(8)
        self._runs: dict[tuple[Owner, str], _Run] = {}
        self._mirrors: dict[Owner, _Mirror] = {}
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "RedisRelay":
        """Start giving signs of life."""
        self._task = asyncio.create_task(self._live(), name="progress: signs of life")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop that."""
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])

    async def open(self, owner: Owner, request_id: str, aliases: Sequence[str]) -> None:
        """Make the stream known, here and elsewhere."""
        run = self._new_run(owner, request_id, aliases)
        # Without Redis, only this process can tell that a call of that id runs already.
        with suppress(RedisUnavailable):
            if not await self._redis.run(lambda redis: self._say(redis, run, None)):
                raise still_running(request_id)
        try:
            await self._local.open(owner, request_id, aliases)
        except Exception:
            with suppress(RedisUnavailable):
                await self._redis.run(lambda redis: redis.delete(*run.keys[:2]))
            raise
        self._runs[owner, request_id] = run

    async def publish(self, owner: Owner, request_id: str, event: Event) -> None:
        """Hand on an event, first to those who are here."""
        await self._local.publish(owner, request_id, event)
        run = self._runs.get((owner, request_id))
        if run is None:
            return
        if event.is_last:
            run.last, run.ended_at = event, asyncio.get_running_loop().time()
        with suppress(RedisUnavailable):
            await self._redis.run(lambda redis: self._say(redis, run, event))
            if event.is_last:
                self._drop(owner, request_id, run)

    async def watch(self, owner: Owner, name: str, after: int, wait_seconds: float) -> AsyncGenerator[Event, None]:
        """Yield the events of the stream *name*, whichever process writes it."""
        async with self._mirrored(owner), aclosing(self._local.watch(owner, name, after, wait_seconds)) as events:
            async for event in events:
                yield event

    def close(self) -> None:
        """Send away those who wait for a call that will not come any more."""
        self._local.close()

    def _new_run(self, owner: Owner, request_id: str, aliases: Sequence[str]) -> _Run:
        id = f"{self._process}-{secrets.token_hex(8)}"
        known = [alias for alias in aliases if len(alias) <= LONGEST_ALIAS]
        call = orjson.dumps({"run": id, "request_id": request_id, "aliases": known})
        claim = self._redis.key("claim", owner.tenant_id, owner.user_id, request_id)
        return _Run([claim, events_key(self._redis, owner, id), calls_key(self._redis, owner)], id, call)

    async def _say(self, redis: Redis, run: _Run, event: Event | None) -> bool:
        """Say that a call runs, and what it reports; False where another call has its request id."""
        milliseconds = [round(seconds * 1000) for seconds in (self._known_seconds, _KEPT_SECONDS)]
        arguments: list[Argument] = [run.id, run.call, *milliseconds, _MOST_EVENTS, _MOST_CALLS]
        arguments += [0, "", "", b""] if event is None else [event.id, event.stage, repr(event.progress), event.body]
        return int(await self._progress(keys=run.keys, args=arguments, client=redis)) == 1

    async def _live(self) -> None:
        """Keep running calls known, and say late what could not be said in time."""
        while True:
            await asyncio.sleep(_SIGN_OF_LIFE_SECONDS)
            for (owner, request_id), run in list(self._runs.items()):
                await self._say_again(owner, request_id, run)

    async def _say_again(self, owner: Owner, request_id: str, run: _Run) -> None:
        with suppress(RedisUnavailable):
            await self._redis.run(lambda redis: self._say(redis, run, run.last))
            if run.last is not None:
                self._drop(owner, request_id, run)
        if run.ended_at is not None and asyncio.get_running_loop().time() > run.ended_at + _KEPT_SECONDS:
            self._drop(owner, request_id, run)

    def _drop(self, owner: Owner, request_id: str, run: _Run) -> None:
        if self._runs.get((owner, request_id)) is run:
            del self._runs[owner, request_id]

    @asynccontextmanager
    async def _mirrored(self, owner: Owner) -> AsyncIterator[None]:
        """Have the owner's streams of other processes in the local relay for a while."""
        mirror = self._mirrors.get(owner)
        if mirror is None:
            mirror = self._mirrors[owner] = _Mirror(self._redis, self._tail, self._local, owner, self._process)
        mirror.watchers += 1
        try:
            if self._redis.in_use:
                await mirror.caught_up()
            yield
        finally:
            mirror.watchers -= 1
            if not mirror.watchers:
                mirror.close()
                del self._mirrors[owner]


class _Mirror:
    """The streams of one owner that other processes write, copied into the local relay."""

    def __init__(self, redis: SharedRedis, tail: Tail, local: MemoryRelay, owner: Owner, process: str) -> None:
        self.watchers = 0
        self._redis = redis
        self._tail = tail
        self._local = local
        self._owner = owner
        self._process = process
        self._copied: dict[str, Followed] = {}
        self._calls = tail.follow(calls_key(redis, owner), self._take_calls, _nothing)

    async def caught_up(self) -> None:
        """Wait, not for long, until all that there was is here."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_CATCHING_UP_SECONDS):
                await self._calls.was_read.wait()
                for copied in list(self._copied.values()):
                    await copied.was_read.wait()

    def close(self) -> None:
        """Forget them."""
        for followed in (self._calls, *self._copied.values()):
            self._tail.leave(followed)
        self._local.unmirror(self._owner)

    async def _take_calls(self, messages: Sequence[Message]) -> None:
        """Copy the latest call of each request id; this process's own are in the local relay already."""
        calls = [orjson.loads(fields[b"call"]) for _, fields in messages]
        for call in {call["request_id"]: call for call in calls}.values():
            copied = self._copied.get(call["request_id"])
            key = events_key(self._redis, self._owner, call["run"])
            if copied is None or copied.key != key:
                self._leave(call["request_id"])
                if not call["run"].startswith(self._process):
                    self._copy(key, call["request_id"], call["aliases"])

    def _copy(self, key: str, request_id: str, aliases: list[str]) -> None:
        known = False

        async def take(messages: Sequence[Message]) -> None:
            nonlocal known
            if messages and not known:
                self._local.mirror(self._owner, request_id, aliases)
                known = True
            events = [_event(message) for message in messages if b"stage" in message[1]]
            for event in events:
                await self._local.publish(self._owner, request_id, event, is_mirrored=True)
            if not messages or (events and events[-1].is_last):  # kept no more, or over
                self._leave(request_id)

        async def gone() -> None:
            await self._local.break_off(self._owner, request_id)
            self._leave(request_id)

        self._copied[request_id] = self._tail.follow(key, take, gone)

    def _leave(self, request_id: str) -> None:
        copied = self._copied.pop(request_id, None)
        if copied is not None:
            self._tail.leave(copied)


def calls_key(redis: SharedRedis, owner: Owner) -> str:
    """Return the key of the stream that names an owner's calls."""
    return redis.key("calls-of", owner.tenant_id, owner.user_id)


def events_key(redis: SharedRedis, owner: Owner, run: str) -> str:
    """Return the key of the stream of a call's events."""
    return redis.key("progress", owner.tenant_id, owner.user_id, run)


def _event(message: Message) -> Event:
    number, fields = message
    stage: Stage = fields[b"stage"].decode()  # type: ignore[assignment]
    if stage not in get_args(Stage):
        raise ValueError("no stage of ours")
    return Event(int(number.partition(b"-")[0]), stage, float(fields[b"progress"]), fields[b"body"])


async def _nothing() -> None:
    """Let it be."""
