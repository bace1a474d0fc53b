"""The audit trail: what is written of a change in its own transaction, and of a refusal beside the call."""

import asyncio
import hashlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import orjson
import structlog

from rpc_server.calls.measures import AUDIT_LOST
from rpc_server.calls.telemetry import NO_METRICS, Metrics
from rpc_server.contract.errors import DependencyUnavailable
from rpc_server.contract.query import TransactionLost, WritableDatabase, query
from rpc_server.contract.tool import Call

ADD_AUDIT_ENTRY = query("writes/add_audit_entry")

# Free text says more than who did what; the trail has how long it was.
_FREE_TEXT = frozenset({"reason", "notes"})
_MAX_WAITING = 1000
_WRITE_SECONDS = 10.0
# Seconds between attempts to write an entry; others wait meanwhile.
_PAUSES = (0.1, 0.4)

logger = structlog.get_logger("audit")


class Writer(Protocol):
    """Where entries are written."""

    def transaction(
        self, tenant_id: str, deadline: Callable[[], float | None]
    ) -> AbstractAsyncContextManager[WritableDatabase]:
        """Return a context of one transaction that may write."""
        ...


def entry(call: Call, outcome: str, **facts: Any) -> dict[str, Any]:
    """Return the entry about *call*: who, what, how it ended; the arguments only as a digest."""
    arguments = call.raw_arguments if isinstance(call.raw_arguments, dict) else {}
    known = sorted(name for name in arguments if name in call.tool.arguments.model_fields)
    return {
        "user": call.caller.user_id,
        "tool": call.tool.name,
        "outcome": outcome,
        "request_id": call.request_id,
        "arguments": {"names": known, "sha256": digest(call.raw_arguments).hex()},
        **facts,
    }


def digest(value: Any) -> bytes:
    """Return the SHA-256 of a JSON value in its canonical form: keys sorted, no white space."""
    try:
        canonical = orjson.dumps(value, default=str, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        # Integers beyond 64 bits and lone surrogates; no arguments that a tool takes.
        canonical = repr(value).encode(errors="surrogatepass")
    return hashlib.sha256(canonical).digest()


def without_text(state: Any) -> Any:
    """Return a state with each free text replaced by its length."""
    if not isinstance(state, dict):
        return state
    return {
        key: f"{len(value)} characters" if key in _FREE_TEXT and isinstance(value, str) else without_text(value)
        for key, value in state.items()
    }


class AuditTrail:
    """Writes entries that belong to no change: refusals. Bounded, and never in a caller's way."""

    def __init__(self, writer: Writer, metrics: Metrics = NO_METRICS) -> None:
        self._writer = writer
        self._metrics = metrics
        self._waiting: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue(_MAX_WAITING)
        self._task: asyncio.Task[None] | None = None

    def note(self, tenant_id: str, noted: dict[str, Any]) -> None:
        """Have *noted* written soon; where too many wait already, it goes to the log instead."""
        try:
            self._waiting.put_nowait((tenant_id, noted))
        except asyncio.QueueFull:
            self._metrics.count(AUDIT_LOST)
            logger.error("audit entry not kept", tenant=tenant_id, entry=noted)

    @property
    def waiting(self) -> int:
        """Return how many entries wait."""
        return self._waiting.qsize()

    async def __aenter__(self) -> "AuditTrail":
        """Start writing."""
        self._task = asyncio.create_task(self._write_all())
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Write what waits, within a bounded time, and stop."""
        try:
            async with asyncio.timeout(_WRITE_SECONDS):
                await self.written()
        except TimeoutError:
            logger.error("audit entries not kept", number=self._waiting.qsize())
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def written(self) -> None:
        """Return when everything noted so far is written."""
        await self._waiting.join()

    async def _write_all(self) -> None:
        while True:
            tenant_id, noted = await self._waiting.get()
            try:
                await self._write(tenant_id, noted)
            except Exception as error:  # noqa: BLE001 - one entry's failure must not end the trail
                self._metrics.count(AUDIT_LOST)
                logger.error("audit entry not kept", tenant=tenant_id, entry=noted, error=type(error).__name__)
            finally:
                self._waiting.task_done()

    async def _write(self, tenant_id: str, noted: dict[str, Any]) -> None:
        deadline = asyncio.get_running_loop().time() + _WRITE_SECONDS
        for pause in (*_PAUSES, None):
            async with self._writer.transaction(tenant_id, lambda: deadline) as database:
                try:
                    await database.first(ADD_AUDIT_ENTRY, entry=noted)
                except (TransactionLost, DependencyUnavailable):
                    if pause is None:
                        raise
                else:
                    # Not tried again where this fails: the entry may stand already.
                    await database.commit()
                    return
            await asyncio.sleep(pause)
