"""Answers that are in this process's memory, given at once.

A call goes through nine layers, each a coroutine, and most of them have nothing to do for an answer from memory. Here
stands what is left of them for it, in one plain function made of the layers' own parts; it takes a quarter of the time.
Whatever is not exactly that (no answer kept, a permission missing, a limit reached, arguments that do not fit) has no
effect here and goes through the layers, which know what to say.
"""

from collections.abc import Callable
from datetime import datetime
from time import perf_counter
from typing import Any, Protocol

import orjson

from rpc_server.calls.cache import Entry
from rpc_server.calls.layers.cache import age_of, holds, key_of
from rpc_server.calls.layers.log import tell
from rpc_server.calls.layers.metrics import measured_hit
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


class Recall:
    """Finds answers for those who may have them."""

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
        """*version* is what the layer of the cache was given; *most* calls that read pass in a minute, 0: all."""
        self._memory = memory
        self._counter = counter
        self._clock = clock
        self._metrics = metrics
        self._version = version
        self._most = most

    def __call__(self, tool: Tool, raw: Any, caller: Caller, request_id: str) -> Outcome | None:
        """Return what comes of a call where that is known, having counted, limited and logged it; else None."""
        began = perf_counter()
        if not tool.cache_seconds or tool.streams or caller.lacks(tool.permissions):
            return None
        entry = self._found(tool, raw, caller)
        if entry is None:
            return None
        now = self._clock().timestamp()
        if not holds(entry, now):
            return None
        limit = None
        if self._most:
            limit = self._counter.count(caller.tenant_id, caller.user_id, class_of(tool), self._most)
            if not limit.passes:
                return None
        seconds = perf_counter() - began
        tell("ok", seconds, tool=tool.name, tenant=caller.tenant_id, user=caller.user_id, request_id=request_id)
        measured_hit(self._metrics, tool.name, seconds)
        return Outcome(tool, entry.result, None, limit, age_of(entry, now))

    def _found(self, tool: Tool, raw: Any, caller: Caller) -> Entry | None:
        try:
            said = orjson.dumps({} if raw is None else raw)
            if len(said) > MOST_REMEMBERED_BYTES:
                return None
            arguments = found_valid(tool.arguments, said)
        except (TypeError, InvalidArguments):
            return None
        key = key_of(self._version, tool.name, caller.tenant_id, caller.permissions, arguments.as_json)
        return self._memory.find(caller.tenant_id, key)
