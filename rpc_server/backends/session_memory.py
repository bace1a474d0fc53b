"""What replicas must share of sessions: which were ended, and streams that can be resumed. Here: one process's.

A deployment of several processes shares it through Redis; with this one alone, an ended session is
known, and a stream can be resumed, only where that happened.
"""

import asyncio
import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from rpc_server.protocol.session import Session

# Of ended ids: 100,000 are some 20 MB.
_MOST_ENDED = 100_000
# Of streams of one session, and of all of them; a stream that is over the bound cannot be resumed.
_MOST_STREAMS = 500
_MOST_STREAMS_OF_ONE = 32
_MOST_EVENTS = 256
_KEPT_SECONDS = 60.0


@dataclass(slots=True)
class Log:
    """The messages of one request in their order, the last one its answer; whoever comes later reads from the start.

    A log of more than 256 messages forgets the oldest: what was forgotten is passed over. *when_begun* is called
    with the first message.
    """

    messages: list[bytes] = field(default_factory=list)
    forgotten: int = 0
    ended: float | None = None
    is_released: bool = False
    when_begun: Callable[[], None] | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def append(self, message: bytes) -> None:
        """Add a message and wake whoever reads; after the answer there is nothing more to say."""
        if self.ended is None:
            self.messages.append(message)
            if len(self.messages) > _MOST_EVENTS:
                del self.messages[0]
                self.forgotten += 1
            self._changed.set()
            if self.when_begun is not None:
                self.when_begun()
                self.when_begun = None

    def end(self, answer: bytes) -> None:
        """Add the last message."""
        self.append(answer)
        self.ended = time.time()

    def break_off(self) -> None:
        """End it without an answer: whoever was to give one has gone away."""
        self.ended = self.ended or time.time()
        self._changed.set()

    def release(self) -> None:
        """Let go of whoever reads now and can come back."""
        self.is_released = True
        self._changed.set()

    def ended_before(self, moment: float) -> bool:
        """Tell whether the last message is older than *moment*, in seconds since 1970."""
        return self.ended is not None and self.ended < moment

    @property
    def has_begun(self) -> bool:
        """Tell whether `begun` would not wait."""
        return bool(self.messages) or self.ended is not None or self.is_released

    async def begun(self) -> None:
        """Wait for the first message, or until readers are let go."""
        async for _ in self.read(is_releasable=True):
            return

    async def read(self, after: int = 0, *, is_releasable: bool = False) -> AsyncIterator[tuple[int, bytes]]:
        """Yield each message after the number *after*, with its number, until the last one or until let go."""
        while True:
            at = max(after - self.forgotten, 0)
            if at < len(self.messages):
                message = self.messages[at]
                after = self.forgotten + at + 1
                yield after, message
            elif self.ended is not None or (is_releasable and self.is_released):
                return
            else:
                self._changed.clear()
                await self._changed.wait()


class SessionMemory(Protocol):
    """What must outlast a request of a session."""

    async def end(self, session: Session) -> None:
        """Remember that a session was ended, for as long as its id would else be good."""
        ...

    async def has_ended(self, session: Session) -> bool:
        """Tell whether a session was ended."""
        ...

    async def set_log_level(self, session: Session, level: str) -> None:
        """Remember from which level on a session wants log messages."""
        ...

    async def log_level(self, session: Session) -> str | None:
        """Return from which level on a session wants log messages; None where it asked for none."""
        ...

    async def keep(self, session: Session, log: Log) -> str:
        """Let a stream of a session be found again; its name goes into the ids of its events."""
        ...

    async def find(self, session: Session, stream: str) -> Log | None:
        """Return a stream of a session; None where it was never there or is forgotten."""
        ...


class LocalSessions:
    """The memory of one process, bounded: what is over a bound pushes out the oldest."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._ended: OrderedDict[str, float] = OrderedDict()
        self._levels: OrderedDict[str, str] = OrderedDict()
        self._logs: dict[str, Log] = {}
        self._owners: dict[str, str] = {}

    async def end(self, session: Session) -> None:
        """Remember that a session was ended, and forget its streams."""
        while self._ended and next(iter(self._ended.values())) <= self._clock():
            self._ended.popitem(last=False)
        self._ended[session.id] = session.expires
        _bound(self._ended, _MOST_ENDED)
        self._levels.pop(session.id, None)
        for name in [name for name, owner in self._owners.items() if owner == session.id]:
            self._forget(name)

    async def has_ended(self, session: Session) -> bool:
        """Tell whether a session was ended."""
        return session.id in self._ended

    async def set_log_level(self, session: Session, level: str) -> None:
        """Remember from which level on a session wants log messages."""
        self._levels[session.id] = level
        _bound(self._levels, _MOST_ENDED)

    async def log_level(self, session: Session) -> str | None:
        """Return from which level on a session wants log messages."""
        return self._levels.get(session.id)

    async def keep(self, session: Session, log: Log) -> str:
        """Let a stream be found again, for a minute after its end; the oldest of its session goes, or of all."""
        for name in list(self._logs):
            if self._logs[name].ended_before(self._clock() - _KEPT_SECONDS):
                self._forget(name)
        own = [name for name, owner in self._owners.items() if owner == session.id]
        if len(own) >= _MOST_STREAMS_OF_ONE:
            self._forget(own[0])
        elif len(self._logs) >= _MOST_STREAMS:
            self._forget(next(iter(self._logs)))
        name = secrets.token_hex(8)
        self._logs[name], self._owners[name] = log, session.id
        return name

    async def find(self, session: Session, stream: str) -> Log | None:
        """Return a stream of a session."""
        return self._logs.get(stream) if self._owners.get(stream) == session.id else None

    def _forget(self, name: str) -> None:
        del self._logs[name], self._owners[name]


def _bound(held: OrderedDict[str, Any], most: int) -> None:
    while len(held) > most:
        held.popitem(last=False)
