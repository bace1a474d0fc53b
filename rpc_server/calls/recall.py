"""Answers that are in the cache, given past the layers.

A call goes through nine layers, each a coroutine, and most of them have nothing to do for an answer from the cache.
Here stands what is left of them for it, made of the layers' own parts: without waiting where the cache and the limits
are this process's own, in one round trip where they are shared. Whatever is not exactly that (no answer kept, a
permission missing, a limit reached, arguments that do not fit) goes through the layers, which know what to say.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import datetime
from time import perf_counter
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

import orjson

from rpc_server.calls.cache import Entry
from rpc_server.calls.layers.cache import age_of, holds, key_of
from rpc_server.calls.layers.log import tell
from rpc_server.calls.layers.metrics import measured_end, measured_hit
from rpc_server.calls.layers.validate import MOST_REMEMBERED_BYTES, found_valid
from rpc_server.calls.limits import ToolClass, class_of
from rpc_server.calls.outcome import Outcome
from rpc_server.calls.telemetry import Metrics
from rpc_server.contract.caller import Caller
from rpc_server.contract.errors import InvalidArguments
from rpc_server.contract.limit import Decision
from rpc_server.contract.tool import Tool


class Memory(Protocol):
    """A cache that need not be waited for."""

    def find(self, tenant_id: str, key: bytes) -> Entry | None:
        """Return the entry of the tenant's present generation, if there is one; it may have expired."""
        ...


class Counter(Protocol):
    """A limiter that need not be waited for."""

    def count(self, tenant_id: str, user_id: str, kind: ToolClass, limit: int) -> Decision:
        """Count one call, unless it is one too many."""
        ...


class Glance(Protocol):
    """A limiter and a cache that are asked together."""

    async def look(
        self, tenant_id: str, user_id: str, kind: ToolClass, limit: int, key: bytes
    ) -> tuple[Decision | None, Entry | None]:
        """Return what the limit says, None where nothing was counted, and the entry if there is one."""
        ...


class Ask(NamedTuple):
    """A call that may be made and fits its tool, and the key under which an answer to it is kept."""

    tool: Tool
    kind: ToolClass
    caller: Caller
    key: bytes


class Kept(NamedTuple):
    """An answer that was given past the layers: to what, how old it is, and what the limit said, if there is one."""

    ask: Ask
    entry: Entry
    age_seconds: float
    limit: Decision | None

    @property
    def outcome(self) -> Outcome:
        """Return what came of the call."""
        return Outcome(self.ask.tool, self.entry.result, None, self.limit, self.age_seconds)


class NotKept(NamedTuple):
    """No answer, and what the limit said of the call, if it was asked."""

    limit: Decision | None = None


Looked: TypeAlias = Kept | NotKept
NOT_KEPT: Final = NotKept()


class _Recall(ABC):
    """What both kinds have in common."""

    def __init__(self, clock: Callable[[], datetime], metrics: Metrics, *, version: str, most: int) -> None:
        """*version* is what the layer of the cache was given; *most* calls that read pass in a minute, 0: all."""
        self._clock = clock
        self._metrics = metrics
        self._version = version
        self._most = most

    async def __call__(self, tool: Tool, raw: Any, caller: Caller, request_id: str) -> Looked:
        """Return what comes of a call where that is known, having counted, limited and logged it."""
        began = perf_counter()
        ask = self._asked(tool, raw, caller)
        return NOT_KEPT if ask is None else await self.answer(ask, request_id, began)

    @abstractmethod
    async def answer(self, ask: Ask, request_id: str, began: float) -> Looked:
        """Do so for a call that was found good; it came at *began*, by the clock of performance."""

    def _asked(self, tool: Tool, raw: Any, caller: Caller) -> Ask | None:
        """Return what is asked, where answers are kept for those who may have them; None: they are not, or may not."""
        if not tool.cache_seconds or tool.streams or caller.lacks(tool.permissions):
            return None
        try:
            said = orjson.dumps({} if raw is None else raw)
            if len(said) > MOST_REMEMBERED_BYTES:
                return None
            arguments = found_valid(tool.arguments, said)
        except (TypeError, InvalidArguments):
            return None
        key = key_of(self._version, tool.name, caller.tenant_id, caller.permissions, arguments.as_json)
        return Ask(tool, class_of(tool), caller, key)

    def _given(self, ask: Ask, entry: Entry, limit: Decision | None, request_id: str, began: float, now: float) -> Kept:
        """Return an answer, having logged and counted it."""
        seconds = perf_counter() - began
        tell("ok", seconds, **_who(ask, request_id))
        measured_hit(self._metrics, ask.tool.name, seconds)
        return Kept(ask, entry, age_of(entry, now), limit)

    def _now(self) -> float:
        return self._clock().timestamp()


def _who(ask: Ask, request_id: str) -> dict[str, str]:
    """Return what the layer of the log binds for a call's lines."""
    caller = ask.caller
    return {"tool": ask.tool.name, "tenant": caller.tenant_id, "user": caller.user_id, "request_id": request_id}


class Recall(_Recall):
    """Finds answers in this process; where it finds none, it has had no effect."""

    waits = False

    def __init__(
        self,
        memory: Memory,
        counter: Counter,
        clock: Callable[[], datetime],
        metrics: Metrics,
        *,
        version: str,
        most: int,
    ) -> None:
        super().__init__(clock, metrics, version=version, most=most)
        self._memory = memory
        self._counter = counter

    async def answer(self, ask: Ask, request_id: str, began: float) -> Looked:
        """Look, and then count."""
        _, kind, caller, key = ask
        entry, now = self._memory.find(caller.tenant_id, key), self._now()
        if entry is None or not holds(entry, now):
            return NOT_KEPT
        limit = None
        if self._most:
            limit = self._counter.count(caller.tenant_id, caller.user_id, kind, self._most)
            if not limit.passes:
                return NOT_KEPT
        return self._given(ask, entry, limit, request_id, began, now)


class SharedRecall(_Recall):
    """Finds answers that replicas share; where it finds none, the call may have been counted."""

    waits = True

    def __init__(
        self, glance: Glance, clock: Callable[[], datetime], metrics: Metrics, *, version: str, most: int
    ) -> None:
        super().__init__(clock, metrics, version=version, most=most)
        self._glance = glance

    async def answer(self, ask: Ask, request_id: str, began: float) -> Looked:
        """Look and count at once; where nothing is found, the limit has been asked all the same."""
        tool, kind, caller, key = ask
        try:
            limit, entry = await self._glance.look(caller.tenant_id, caller.user_id, kind, self._most, key)
        except asyncio.CancelledError:
            seconds = perf_counter() - began
            tell("cancelled", seconds, **_who(ask, request_id))
            measured_end(self._metrics, tool.name, "cancelled", seconds)
            raise
        passes, now = limit is None or limit.passes, self._now()
        if entry is None or not passes or not holds(entry, now):
            return NotKept(limit)
        return self._given(ask, entry, limit, request_id, began, now)
