"""The Redis that all replicas share: never slow, because what takes too long counts as down; never in the way.

One failure, of any kind, puts it out of use: whoever asks is told at once, and goes on without it. A
task of its own tries a write now and then, and puts it into use again. So Redis can be slow, gone,
frozen, full, read-only or something else altogether, and costs one call a moment.
"""

import asyncio
import contextvars
import hashlib
import json
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, TypeAlias, TypeVar

import structlog
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.commands.core import AsyncScript

from rpc_server.backends.patience import Patience
from rpc_server.backends.redis_lane import Command, Lane
from rpc_server.calls.tracing import NO_TRACES, Attributes, Traces

T = TypeVar("T")

_SAID: Attributes = {"db.system.name": "redis"}
# What a script is given.
Argument: TypeAlias = bytes | str | int | float

_CONNECTIONS = 32
# Between attempts to put it into use again; longer where it does not stay in use.
_SHORTEST_PAUSE = 0.25
_LONGEST_PAUSE = 8.0
_STEADY_SECONDS = 30.0
_PROBE_MILLISECONDS = 10_000

logger = structlog.get_logger("redis")


def _named(work: Callable[[Redis], object]) -> str:
    """Return the name of the method that *work* stands in, as RedisCache.look_up: a span tells no keys."""
    return f"redis {getattr(work, '__qualname__', '').partition('.<locals>')[0]}"


@lru_cache(maxsize=10_000)
def _key(prefix: str, kind: str, parts: tuple[str, ...]) -> str:
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    return f"{prefix}:{kind}:{digest[:40]}"


def _is_unknown_script(answer: object) -> bool:
    return isinstance(answer, Exception) and str(answer).startswith("NOSCRIPT")


def _without_errors(answers: list[Any]) -> list[Any]:
    """Return the answers; raises the first error among them."""
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers


class RedisUnavailable(Exception):
    """Redis is out of use, or has just been found to be; whoever asked goes on without it."""


class SharedRedis:
    """A client for all: bounded in connections and in time.

    *prefix* begins every key; deployments that share a Redis need different ones.
    """

    def __init__(self, url: str, *, prefix: str = "crm-mcp", timeout_seconds: float = 0.25) -> None:
        """Raise ValueError where *url* is none of Redis."""
        try:
            pool = ConnectionPool.from_url(
                url,
                max_connections=_CONNECTIONS + 1,  # one is the probe's
                socket_timeout=None,  # what bounds the time stands in `run`
                socket_connect_timeout=None,
                retry=Retry(NoBackoff(), 0),
                protocol=2,  # spares a greeting, and everything speaks it
                driver_info=None,
                client_name="crm-mcp",
            )
        except (ValueError, TypeError):
            expected = "redis://[login:password@]host:port/0, or rediss:// for TLS"
            raise ValueError(f"REDIS_URL must be like {expected}") from None
        self._client = Redis(connection_pool=pool)
        self._prefix = prefix
        self._timeout = timeout_seconds
        self._places = asyncio.Semaphore(_CONNECTIONS)
        self._probe_script = self.script("probe")
        # The texts of scripts by their names.
        self._texts: dict[str, str] = {}
        self._lane: Lane | None = None
        self._opening: asyncio.Task[Lane] | None = None
        self._probing: asyncio.Task[None] | None = None
        self._down_since = self._up_since = 0.0
        self._pause = _SHORTEST_PAUSE
        self.before_use: list[Callable[[Redis], Awaitable[None]]] = []
        """Run before Redis is put into use again; where one fails, it is not."""
        self.traces: Traces = NO_TRACES
        """Told of each piece of work."""
        self.on_change: list[Callable[[bool], None]] = []
        """Told each time that Redis is out of use (False), or in use again (True)."""

    @property
    def in_use(self) -> bool:
        """Tell whether `run` would try."""
        return self._probing is None

    def key(self, kind: str, *parts: str) -> str:
        """Return a key for *parts*, whatever they contain: no two lists of parts have the same one."""
        return _key(self._prefix, kind, parts)

    def script(self, name: str) -> AsyncScript:
        """Return a script of the folder lua/."""
        text = (Path(__file__).parent / "lua" / f"{name}.lua").read_text(encoding="utf-8")
        return self._client.register_script(text)

    async def run(self, work: Callable[[Redis], Awaitable[T]]) -> T:
        """Return what *work* makes of the client's answers; whatever goes wrong in it is a RedisUnavailable."""
        if not self.in_use:
            raise RedisUnavailable
        async with self._places:
            if not self.in_use:  # found out while we waited
                raise RedisUnavailable
            try:
                with self.traces.span(_named(work), _SAID, kind="client"):
                    async with Patience(self._timeout):
                        return await work(self._client)
            except Exception as error:
                self._put_out_of_use(error)
                raise RedisUnavailable from error

    def call_of(self, script: AsyncScript, key: str, *arguments: Argument) -> Command:
        """Return the command that runs a script on its only key."""
        self._texts[script.sha] = str(script.script)
        return ("EVALSHA", script.sha, 1, key, *arguments)

    async def ask(self, name: str, commands: Sequence[Command], read: Callable[[list[Any]], T]) -> T:
        """Return what *read* makes of the answers to *commands*, which are sent together.

        Whatever goes wrong is a RedisUnavailable. *name* is that of the span, which tells no keys.
        """
        if not self.in_use:
            raise RedisUnavailable
        try:
            with self.traces.span(f"redis {name}", _SAID, kind="client"):
                lane = self._lane or await self._opened()
                answers = await lane.ask(commands)
                if any(_is_unknown_script(answer) for answer in answers):
                    answers = await lane.ask([self._whole(command) for command in commands])
            return read(_without_errors(answers))
        except Exception as error:
            self._put_out_of_use(error)
            raise RedisUnavailable from error

    async def check(self) -> bool:
        """Tell whether Redis takes writes right now."""
        try:
            await self.run(self._probe)
        except RedisUnavailable:
            return False
        return True

    async def __aenter__(self) -> "SharedRedis":
        """Find out whether Redis is there; the server runs without it too."""
        await self.check()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.wait([self._probing])
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait([self._opening])
        if self._lane is not None:
            self._lane.close()
        await self._client.aclose()
        await self._client.connection_pool.disconnect()

    async def _opened(self) -> Lane:
        """Return the lane, opened by the first who needs it for all who wait."""
        if self._opening is None:
            self._opening = asyncio.create_task(self._open_lane(), name="redis lane", context=contextvars.Context())
        return await asyncio.shield(self._opening)

    async def _open_lane(self) -> Lane:
        try:
            async with Patience(self._timeout):
                lane = self._lane = await Lane.open(self._client.connection_pool, self._timeout, self._lane_lost)
                return lane
        finally:
            self._opening = None

    def _lane_lost(self) -> None:
        """Open another one when it is needed: Redis may close a connection that is idle."""
        self._lane = None

    def _whole(self, command: Command) -> Command:
        """Return a script's command with all of its text, for a Redis that has lost it or never had it."""
        return ("EVAL", self._texts[str(command[1])], *command[2:]) if command[0] == "EVALSHA" else command

    def _put_out_of_use(self, error: Exception) -> None:
        if self._probing is not None:
            return
        now = monotonic()
        steady = now - self._up_since > _STEADY_SECONDS
        self._pause = _SHORTEST_PAUSE if steady else min(self._pause * 2, _LONGEST_PAUSE)
        self._down_since = now
        logger.warning("redis is out of use", error=type(error).__name__)
        self._probing = asyncio.create_task(self._until_back(), name="redis probe")
        self._tell(in_use=False)

    async def _until_back(self) -> None:
        while True:
            await asyncio.sleep(self._pause)
            try:
                for work in (self._probe, *self.before_use):
                    async with Patience(self._timeout):
                        await work(self._client)
            except Exception as error:  # noqa: BLE001 - whatever it is, Redis is not fit for use
                logger.debug("redis stays out of use", error=type(error).__name__)
                continue
            break
        self._probing, self._up_since = None, monotonic()
        logger.info("redis is in use again", seconds=round(self._up_since - self._down_since, 1))
        self._tell(in_use=True)

    async def _probe(self, redis: Redis) -> None:
        """Write, because a Redis that is full or a replica answers a PING too."""
        key = self.key("probe")
        if await self._probe_script(keys=[key], args=[_PROBE_MILLISECONDS], client=redis) != b"OK":
            raise RedisUnavailable

    def _tell(self, *, in_use: bool) -> None:
        for listener in self.on_change:
            listener(in_use)
