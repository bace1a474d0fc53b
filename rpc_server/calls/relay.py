"""The relay of one process: a ring of the last events of each stream, and a queue for each watcher."""

import asyncio
from collections import OrderedDict, defaultdict, deque
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from rpc_server.calls.measures import PROGRESS_DROPPED
from rpc_server.calls.streams import Event, Gauge, Owner
from rpc_server.calls.telemetry import NO_METRICS, Metrics
from rpc_server.contract.errors import Conflict, NotFound, RateLimited, ShuttingDown

_RING_EVENTS = 32
# A name that cannot stand in an address need not be known.
LONGEST_ALIAS = 1024


@dataclass(slots=True)
class _Stream:
    aliases: frozenset[str]
    is_mirrored: bool = False
    ring: deque[Event] = field(default_factory=lambda: deque(maxlen=_RING_EVENTS))
    watchers: set[Gauge] = field(default_factory=set)

    @property
    def is_live(self) -> bool:
        return self.latest is None or not self.latest.is_last

    @property
    def latest(self) -> Event | None:
        return self.ring[-1] if self.ring else None


def still_running(request_id: str) -> Conflict:
    """Return the refusal of a call whose request id is in use."""
    return Conflict(
        "duplicate_request",
        f"A call with the request id {request_id!r} is still running. Wait for it, watch it at "
        f"/progress/{request_id}, or send another X-Request-Id.",
    )


class MemoryRelay:
    """Streams by owner and request id; an ended one is kept *kept_seconds*, at most *most_kept* of them in all.

    An owner may have *most_per_owner* live streams at a time, and as many watchers. Streams of other
    processes can be mirrored into it; they are watched like its own.
    """

    def __init__(
        self,
        *,
        kept_seconds: float = 60.0,
        most_kept: int = 200,
        most_per_owner: int = 256,
        metrics: Metrics = NO_METRICS,
    ) -> None:
        self._streams: dict[tuple[Owner, str], _Stream] = {}
        self._by_owner: defaultdict[Owner, set[str]] = defaultdict(set)
        self._ended: OrderedDict[tuple[Owner, str], float] = OrderedDict()
        self._early: defaultdict[Owner, set[asyncio.Future[None]]] = defaultdict(set)
        self._watching: defaultdict[Owner, int] = defaultdict(int)
        self._kept_seconds = kept_seconds
        self._most_kept = most_kept
        self._most_per_owner = most_per_owner
        self._closed = False
        self._metrics = metrics

    async def open(self, owner: Owner, request_id: str, aliases: Sequence[str]) -> None:
        """Make the stream known, in the place of an ended one of the same id."""
        self._forget_old()
        key = owner, request_id
        existing = self._streams.get(key)
        if existing is not None and existing.is_live and not existing.is_mirrored:
            raise still_running(request_id)
        if sum(self._streams[owner, other].is_live for other in self._by_owner[owner]) >= self._most_per_owner:
            raise RateLimited(
                f"{self._most_per_owner} calls of yours are already running. Wait for one to end.", retry_after=5
            )
        self._begin(owner, request_id, aliases, is_mirrored=False)

    def mirror(self, owner: Owner, request_id: str, aliases: Sequence[str]) -> None:
        """Make the stream of another process known; its events are published here too."""
        existing = self._streams.get((owner, request_id))
        if existing is None or existing.is_mirrored or not existing.is_live:
            self._begin(owner, request_id, aliases, is_mirrored=True)

    def unmirror(self, owner: Owner) -> None:
        """Forget the streams of other processes."""
        for request_id in list(self._by_owner.get(owner, ())):
            if self._streams[owner, request_id].is_mirrored:
                self._forget((owner, request_id))

    async def break_off(self, owner: Owner, request_id: str) -> None:
        """End a stream whose process has gone away."""
        stream = self._streams.get((owner, request_id))
        if stream is not None and stream.is_mirrored and stream.is_live:
            await self.publish(owner, request_id, Event.broken_off(stream.latest), is_mirrored=True)

    async def publish(self, owner: Owner, request_id: str, event: Event, *, is_mirrored: bool = False) -> None:
        """Keep the event and hand it to those who watch."""
        key = owner, request_id
        stream = self._streams.get(key)
        if stream is None or stream.is_mirrored is not is_mirrored:
            return
        if stream.latest is not None and event.id <= stream.latest.id:
            return
        stream.ring.append(event)
        for watcher in stream.watchers:
            watcher.offer(event)
        if event.is_last:
            loop = asyncio.get_running_loop()
            self._ended[key] = loop.time()
            self._forget_old()
            loop.call_later(self._kept_seconds, self._forget_old)

    async def watch(self, owner: Owner, name: str, after: int, wait_seconds: float) -> AsyncGenerator[Event, None]:
        """Yield the events of the stream *name*, waiting a while for it to begin."""
        if self._watching[owner] >= self._most_per_owner:
            raise RateLimited(
                f"{self._most_per_owner} watchers of yours are already there. Close one of them.", retry_after=5
            )
        self._watching[owner] += 1
        try:
            stream = await self._found(owner, name, wait_seconds)
            watcher = Gauge(lambda: self._metrics.count(PROGRESS_DROPPED))
            if not stream.is_live and stream.ring[-1].id <= after:
                return
            for event in stream.ring:
                if event.id > after:
                    watcher.offer(event)
            stream.watchers.add(watcher)
            try:
                async for event in watcher.events():
                    yield event
            finally:
                stream.watchers.discard(watcher)
        finally:
            self._watching[owner] -= 1
            if not self._watching[owner]:
                del self._watching[owner]

    def close(self) -> None:
        """Send away those who wait for a call that will not come any more."""
        self._closed = True
        for futures in self._early.values():
            for waiting in futures:
                if not waiting.done():
                    waiting.set_result(None)

    def _begin(self, owner: Owner, request_id: str, aliases: Sequence[str], *, is_mirrored: bool) -> None:
        """Put a stream in the place of another one, whose watchers are told if it has not ended."""
        replaced = self._streams.get((owner, request_id))
        if replaced is not None and replaced.is_live:
            for watcher in replaced.watchers:
                watcher.offer(Event.broken_off(replaced.latest))
        self._forget((owner, request_id))
        known = frozenset(alias for alias in aliases if len(alias) <= LONGEST_ALIAS)
        self._streams[owner, request_id] = _Stream(known - {request_id}, is_mirrored)
        self._by_owner[owner].add(request_id)
        for waiting in self._early.pop(owner, ()):
            if not waiting.done():
                waiting.set_result(None)

    async def _found(self, owner: Owner, name: str, wait_seconds: float) -> _Stream:
        until = asyncio.get_running_loop().time() + wait_seconds
        while (stream := self._find(owner, name)) is None:
            if self._closed:
                raise ShuttingDown
            waiting = asyncio.get_running_loop().create_future()
            self._early[owner].add(waiting)
            try:
                async with asyncio.timeout_at(until):
                    await waiting
            except TimeoutError:
                raise NotFound(
                    "There is no such call of yours, neither running nor ended a short while ago. "
                    "Send the X-Request-Id of the call."
                ) from None
            finally:
                if owner in self._early:
                    self._early[owner].discard(waiting)
                    if not self._early[owner]:
                        del self._early[owner]
        return stream

    def _find(self, owner: Owner, name: str) -> _Stream | None:
        if (owner, name) in self._streams:
            return self._streams[owner, name]
        own = [self._streams[owner, request_id] for request_id in self._by_owner.get(owner, ())]
        matching = [stream for stream in own if name in stream.aliases]
        named = [stream for stream in matching if stream.is_live] or matching
        if len(named) > 1:
            raise Conflict(
                "duplicate_request", f"Several calls of yours are called {name!r}. Watch one by its X-Request-Id."
            )
        return named[0] if named else None

    def _forget_old(self) -> None:
        now = asyncio.get_running_loop().time()
        while self._ended:
            key, ended = next(iter(self._ended.items()))
            if now - ended < self._kept_seconds and len(self._ended) <= self._most_kept:
                return
            self._forget(key)

    def _forget(self, key: tuple[Owner, str]) -> None:
        self._ended.pop(key, None)
        if self._streams.pop(key, None) is not None:
            owner, request_id = key
            self._by_owner[owner].discard(request_id)
            if not self._by_owner[owner]:
                del self._by_owner[owner]
