"""A call's progress: from the tool, which never waits, through a bounded queue to whoever watches."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

import orjson
import structlog

from rpc_server.contract.caller import Caller
from rpc_server.contract.errors import ShuttingDown, ToolError
from rpc_server.contract.progress import Stage
from rpc_server.contract.result import Result

# Events that wait for one watcher; progress is a gauge, so the oldest may go.
_WAITING_EVENTS = 64
# The call answers no later than so long after its last event, whether the relay has taken that or not.
_CLOSING_SECONDS = 2.0
# The smallest step, so that what a tool reports always grows.
_STEP = 0.0001

logger = structlog.get_logger("progress")


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that a watcher sees; *id* grows within a stream."""

    id: int
    stage: Stage
    progress: float
    body: bytes

    @property
    def is_last(self) -> bool:
        """Tell whether nothing comes after it."""
        return self.stage in ("done", "error")

    @classmethod
    def of(cls, number: int, stage: Stage, progress: float, message: str, data: dict[str, Any]) -> "Event":
        """Return the event that says so, now."""
        fields = {
            "stage": stage,
            "progress": progress,
            "message": message,
            "data": data,
            "timestamp": datetime.now(UTC),
        }
        return cls(number, stage, progress, orjson.dumps(fields, default=str))

    @classmethod
    def broken_off(cls, latest: "Event | None") -> "Event":
        """Return the last event of a call whose process has gone away after *latest*."""
        error = ShuttingDown()
        number, progress = (latest.id, latest.progress) if latest else (0, 0.0)
        return cls.of(number + 1, "error", round(min(progress + _STEP, 1.0), 4), error.message, error.as_dict())


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose streams: nobody else can name them."""

    tenant_id: str
    user_id: str

    @classmethod
    def of(cls, caller: Caller) -> "Owner":
        """Return the owner of *caller*'s streams."""
        return cls(caller.tenant_id, caller.user_id)


class Relay(Protocol):
    """Keeps the last events of each stream and hands them to its watchers, wherever they are."""

    async def open(self, owner: Owner, request_id: str, aliases: Sequence[str]) -> None:
        """Make the stream known; raises Conflict while one of that id runs, RateLimited where there are too many."""
        ...

    async def publish(self, owner: Owner, request_id: str, event: Event) -> None:
        """Hand on an event; the last one ends the stream, which is kept for a while."""
        ...

    def watch(self, owner: Owner, name: str, after: int, wait_seconds: float) -> AsyncGenerator[Event, None]:
        """Yield the events after the id *after*, up to the last one; nothing where that has been seen.

        *name* is a request id or an alias. Before the first event it waits *wait_seconds* for the
        stream to begin, then raises NotFound; Conflict where an alias stands for several streams.
        """
        ...


class Gauge(asyncio.Queue[Event]):
    """A bounded queue that takes an event at once; when it is full, the oldest goes."""

    def __init__(self, dropped: Callable[[], None] = lambda: None) -> None:
        """*dropped* is told of each event that whoever reads never gets."""
        super().__init__(_WAITING_EVENTS)
        self._dropped = dropped
        self._is_read = False

    def offer(self, event: Event) -> None:
        """Take *event*; the last one of a stream is never dropped, since nothing follows it."""
        if self.full():
            self.get_nowait()
            if self._is_read:
                self._dropped()
        self.put_nowait(event)

    async def events(self) -> AsyncIterator[Event]:
        """Yield events until the last one."""
        self._is_read = True
        while True:
            event = await self.get()
            yield event
            if event.is_last:
                return


class CallStream:
    """One call's stream: fed by the tool and by the server, drained into the relay by a task of its own.

    Whoever owns the call gets its events straight from there: how fast the relay is, is not their concern.
    """

    def __init__(self, relay: Relay, owner: Owner, request_id: str, dropped: Callable[[], None] = lambda: None) -> None:
        self._relay = relay
        self._owner = owner
        self._request_id = request_id
        self._queue = Gauge(dropped)
        self._number = 0
        self._reached = -_STEP
        # Whether there was its last event.
        self.has_ended = False
        self.own_watcher: Gauge | None = None
        self._drain = asyncio.create_task(self._drained(), name=f"progress of {request_id}")

    def begin(self, tool: str) -> None:
        """Say that the tool starts."""
        self._offer("starting", 0.0, f"{tool} has started.", {})

    def report(self, stage: Literal["analyzing", "comparing"], progress: float, message: str, **data: Any) -> None:
        """Take what the tool reports; what would not be progress any more is passed over."""
        self._offer(stage, progress, message, data)

    async def done(self, tool: str, result: Result) -> None:
        """End with the tool's result."""
        data = {"result": orjson.Fragment(result.as_json()), **result.highlights()}
        self._offer("done", 1.0, f"{tool} is done.", data)
        await self._end()

    async def failed(self, error: ToolError) -> None:
        """End with an error."""
        self._offer("error", self._reached, error.message, error.as_dict())
        await self._end()

    def _offer(self, stage: Stage, progress: float, message: str, data: dict[str, Any]) -> None:
        is_last = stage in ("done", "error")
        reached = round(min(max(progress, self._reached + _STEP), 1.0), 4)
        if self.has_ended or reached <= self._reached or (reached == 1.0 and not is_last):
            return
        event = Event.of(self._number + 1, stage, reached, message, data)
        self._number, self._reached, self.has_ended = event.id, reached, is_last
        if self.own_watcher is not None:
            self.own_watcher.offer(event)
        self._queue.offer(event)

    async def _drained(self) -> None:
        async for event in self._queue.events():
            try:
                await self._relay.publish(self._owner, self._request_id, event)
            except Exception as error:  # noqa: BLE001 - nobody's call fails because nobody can watch it
                logger.warning("progress lost", error=type(error).__name__)

    async def _end(self) -> None:
        # A relay that takes longer is left to it: without the last event its watchers would wait for ever.
        await asyncio.wait([self._drain], timeout=_CLOSING_SECONDS)
