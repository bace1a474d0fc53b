"""Answers from before, where the tool allows it; and of many that ask the same at once, only one goes on."""

import asyncio
import hashlib
import json
from typing import TypeAlias

from rpc_server.calls.cache import Cache, Entry, KeptResult
from rpc_server.calls.layers import Next
from rpc_server.contract.errors import DeadlineExceeded
from rpc_server.contract.result import Result
from rpc_server.contract.tool import Call

# A larger answer is not worth the memory.
_MOST_BYTES = 512 * 1024

# None: whoever went ahead was called off or ran out of time, and somebody else has to go.
_Flight: TypeAlias = "asyncio.Future[KeptResult | None]"


class Caching:
    """The layer; it stands inside permit and validate, so that a hit never passes by a permission."""

    def __init__(self, cache: Cache, version: str) -> None:
        """*version* is the server's: what another version has answered is not found."""
        self._cache = cache
        self._version = version
        self._flights: dict[tuple[bytes, str], _Flight] = {}

    async def __call__(self, proceed: Next, call: Call) -> Result:
        """Answer from the cache, or with the answer that somebody is already waiting for, or go on."""
        if not call.tool.cache_seconds:
            return await proceed(call)
        key = self._key(call)
        looked = await self._cache.look_up(call.caller.tenant_id, key)
        entry, now = looked.entry, call.now.timestamp()
        if entry is not None and now < entry.expires:
            call.age_seconds = max(0.0, now - entry.as_of)
            return KeptResult.of(entry.body, entry.words)
        if looked.generation is None:
            return await proceed(call)
        while flight := self._flights.get((key, looked.generation)):
            if (shared := await asyncio.shield(flight)) is not None:
                call.age_seconds = 0.0
                return shared
        return await self._go_ahead(proceed, call, key, looked.generation)

    async def _go_ahead(self, proceed: Next, call: Call, key: bytes, generation: str) -> Result:
        """Get the answer for all who ask for it meanwhile; where it fails, it fails for all of them."""
        flight: _Flight = asyncio.get_running_loop().create_future()
        self._flights[key, generation] = flight
        try:
            result = await proceed(call)
            kept = KeptResult.of(result.as_json(), result.text())
            if len(kept.body) + len(kept.words) <= _MOST_BYTES:
                entry = Entry(kept.body, kept.words, call.now.timestamp(), _expires(call, result))
                await self._cache.keep(call.caller.tenant_id, key, generation, entry)
        except DeadlineExceeded:  # the others have more time left
            raise
        except Exception as error:
            flight.set_exception(error)
            flight.exception()  # looked at, also where nobody else waits
            raise
        else:
            flight.set_result(kept)
            return kept
        finally:
            del self._flights[key, generation]
            if not flight.done():
                flight.set_result(None)

    def _key(self, call: Call) -> bytes:
        """Return what the answer depends on, besides the tenant's data and the time."""
        assert call.arguments is not None
        caller = call.caller
        # By way of JSON, so that no two lists of texts look alike.
        parts = json.dumps([self._version, caller.tenant_id, call.tool.name, sorted(caller.permissions)])
        return hashlib.sha256(parts.encode() + b"\n" + call.arguments.model_dump_json().encode()).digest()


def _expires(call: Call, result: Result) -> float:
    """Return until when the answer holds: as long as the tool says, but not beyond the end of the tenant's day."""
    latest = call.now.timestamp() + call.tool.cache_seconds
    changes = result.changes_at()
    return latest if changes is None else min(latest, changes.timestamp())
