"""Answers from before, where the tool allows it; and of many that ask the same at once, only one goes on."""

import asyncio
import hashlib
import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeAlias

from rpc_server.calls.cache import Cache, Entry
from rpc_server.calls.layers import Next
from rpc_server.contract.errors import DeadlineExceeded
from rpc_server.contract.result import Result
from rpc_server.contract.tool import Call

# A larger answer is not worth the memory.
_MOST_BYTES = 512 * 1024

# None: whoever went ahead was called off or ran out of time, and somebody else has to go.
_Flight: TypeAlias = "asyncio.Future[Entry | None]"


@dataclass(slots=True)
class _Askers:
    """Those who ask the same at the same time, and what was or is got for them, by generation.

    An answer stays here as long as anybody asks: who looked before it was kept comes for it afterwards.
    """

    number: int = 0
    flights: dict[str, _Flight] = field(default_factory=dict)


class Caching:
    """The layer; it stands inside permit and validate, so that a hit never passes by a permission."""

    def __init__(self, cache: Cache, version: str) -> None:
        """*version* is the server's: what another version has answered is not found."""
        self._cache = cache
        self._version = version
        self._askers: dict[bytes, _Askers] = {}

    async def __call__(self, proceed: Next, call: Call) -> Result:
        """Answer from the cache, or with the answer that somebody is already waiting for, or go on."""
        if not call.tool.cache_seconds:
            return await proceed(call)
        key = self._key(call)
        askers = self._askers.setdefault(key, _Askers())
        askers.number += 1
        try:
            return await self._answered(proceed, call, key, askers.flights)
        finally:
            askers.number -= 1
            if not askers.number:
                del self._askers[key]

    async def _answered(self, proceed: Next, call: Call, key: bytes, flights: dict[str, _Flight]) -> Result:
        looked = await self._cache.look_up(call.caller.tenant_id, key)
        if looked.entry is not None and holds(looked.entry, call.now.timestamp()):
            return _from_before(looked.entry, call)
        if looked.generation is None:
            return await proceed(call)
        while flight := flights.get(looked.generation):
            entry = await asyncio.shield(flight)
            if entry is not None and holds(entry, call.now.timestamp()):
                return _from_before(entry, call)
            if flights.get(looked.generation) is flight:
                del flights[looked.generation]
        return await self._go_ahead(proceed, call, key, looked.generation, flights)

    async def _go_ahead(
        self, proceed: Next, call: Call, key: bytes, generation: str, flights: dict[str, _Flight]
    ) -> Result:
        """Get the answer for all who wait for it; where it fails, it fails for all of them."""
        flight: _Flight = asyncio.get_running_loop().create_future()
        flights[generation] = flight
        try:
            result = await proceed(call)
            entry = Entry(result.as_json(), result.text(), call.now.timestamp(), _expires(call, result))
            if len(entry.body) + len(entry.words) <= _MOST_BYTES:
                await self._cache.keep(call.caller.tenant_id, key, generation, entry)
        except BaseException as error:
            del flights[generation]
            if isinstance(error, DeadlineExceeded) or not isinstance(error, Exception):
                flight.set_result(None)
            else:
                flight.set_exception(error)
                flight.exception()  # looked at, also where nobody waits
            raise
        flight.set_result(entry)
        return entry.result

    def _key(self, call: Call) -> bytes:
        """Return what the answer depends on, besides the tenant's data and the time."""
        assert call.arguments is not None
        caller, arguments = call.caller, call.arguments.as_json
        return key_of(self._version, call.tool.name, caller.tenant_id, caller.permissions, arguments)


@lru_cache(maxsize=4096)
def key_of(version: str, tool: str, tenant_id: str, permissions: frozenset[str], arguments: bytes) -> bytes:
    """Return under which key an answer is kept."""
    # By way of JSON, so that no two lists of texts look alike.
    asker = json.dumps([version, tenant_id, tool, sorted(permissions)]).encode()
    return hashlib.sha256(asker + b"\n" + arguments).digest()


def holds(entry: Entry, now: float) -> bool:
    """Tell whether an answer still does, *now* in Unix time."""
    return now < entry.expires


def age_of(entry: Entry, now: float) -> float:
    """Return how old an answer is, in seconds; *now* in Unix time."""
    return max(0.0, now - entry.as_of)


def _from_before(entry: Entry, call: Call) -> Result:
    call.age_seconds = age_of(entry, call.now.timestamp())
    return entry.result


def _expires(call: Call, result: Result) -> float:
    """Return until when the answer holds: as long as the tool says, but not beyond the end of the tenant's day."""
    latest = call.now.timestamp() + call.tool.cache_seconds
    changes = result.changes_at()
    return latest if changes is None else min(latest, changes.timestamp())
