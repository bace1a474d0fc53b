"""One change: its key, its effects, its audit entry and its remembered answer in one transaction.

Once begun it runs to its end, whether or not its caller is still there. Where it lost against
another transaction it is run again, from nothing. What is remembered under a key is only what
was committed. What is cached of the tenant is forgotten before the change is answered.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import structlog

from rpc_server.calls.cache import Cache
from rpc_server.calls.trail import ADD_AUDIT_ENTRY, Writer, digest, entry, without_text
from rpc_server.contract.errors import Conflict, DeadlineExceeded, DependencyUnavailable
from rpc_server.contract.query import TransactionLost, WritableDatabase, query
from rpc_server.contract.tool import Call
from rpc_server.contract.write import Idempotency, WriteArguments, WriteResult

CLAIM_KEY = query("writes/claim_key")
GET_ANSWER = query("writes/get_answer")
KEEP_ANSWER = query("writes/keep_answer")
FORGET_KEYS = query("writes/forget_keys")

# Only in the answer that it is true of: the remembered one was committed before anybody could know.
STALE = "stale_up_to_300s: cached figures may not show this change for up to 300 s."

_ATTEMPTS = 4
_KEPT_HOURS = 48
_FORGET_EVERY_SECONDS = 600.0
_CLOSING_SECONDS = 30.0

logger = structlog.get_logger("writes")


class Writes:
    """Runs the tools that write."""

    def __init__(self, writer: Writer, cache: Cache) -> None:
        self._writer = writer
        self._cache = cache
        self._running: set[asyncio.Task[Any]] = set()
        self._forgot: dict[str, float] = {}

    async def run(self, call: Call) -> WriteResult:
        """Make the change and return its answer; cancelling the caller does not cancel the change."""
        change = self._keep(asyncio.create_task(self._made_and_seen(call)))
        return await asyncio.shield(change)

    async def close(self) -> None:
        """Wait for the changes that run, within a bounded time."""
        if self._running:
            await asyncio.wait(self._running, timeout=_CLOSING_SECONDS)

    async def _made_and_seen(self, call: Call) -> WriteResult:
        """Make the change and have what was cached before it forgotten."""
        result = await self._attempts(call)
        # Also where an earlier call made the change: whoever made it may have died before this line.
        if not result.changed or result.dry_run or await self._cache.forget(call.caller.tenant_id):
            return result
        return result.model_copy(update={"warnings": [*result.warnings, STALE]})

    async def _attempts(self, call: Call) -> WriteResult:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return await self._attempt(call)
            except TransactionLost as lost:
                logger.info("transaction lost", tool=call.tool.name, query=str(lost), attempt=attempt)
                await asyncio.sleep(0.01 * 2**attempt)
        raise DeadlineExceeded(
            "Too many changes of the same thing at once; this one was not made. Call again in a moment.",
            retry_after=2,
        )

    async def _attempt(self, call: Call) -> WriteResult:
        arguments = call.arguments
        assert isinstance(arguments, WriteArguments)
        # A dry run promises nothing, so there is nothing to remember of it.
        key = None if arguments.dry_run else arguments.idempotency_key
        async with self._writer.transaction(call.caller.tenant_id, lambda: call.deadline) as database:
            call.db = database
            if key is not None:
                replayed = await self._replayed(call, key, arguments)
                if replayed is not None:
                    return replayed
            result = await self._changed(call, database, arguments)
            if key is not None:
                result = result.model_copy(update={"idempotency": Idempotency(key=key, replayed=False)})
                await database.all(KEEP_ANSWER, **_named(call, key), answer=orjson.loads(result.as_json()))
            await self._commit(call, database)
        if key is not None:
            self._forget_some(call.caller.tenant_id)
        return result

    async def _commit(self, call: Call, database: WritableDatabase) -> None:
        try:
            await database.commit()
        except DependencyUnavailable:  # it may have been made
            await self._cache.forget(call.caller.tenant_id)
            raise

    async def _replayed(self, call: Call, key: str, arguments: WriteArguments) -> WriteResult | None:
        """Take the key, or return the answer that was given to it."""
        payload_hash = digest(arguments.model_dump(mode="json", exclude={"idempotency_key", "dry_run"}))
        if await call.db.first(CLAIM_KEY, **_named(call, key), payload_hash=payload_hash) is not None:
            return None
        kept = await call.db.first(GET_ANSWER, **_named(call, key))
        if kept is None or kept["answer"] is None:
            # Forgotten between the two statements; the next attempt takes it.
            raise TransactionLost(CLAIM_KEY.name)
        if bytes(kept["payload_hash"]) != payload_hash:
            raise Conflict(
                "idempotency_mismatch",
                "This idempotency_key was used for other arguments. Use a new key for a new change, "
                "or repeat the former arguments exactly.",
            )
        result = call.tool.result.model_validate_json(orjson.dumps(kept["answer"]))
        return result.model_copy(update={"idempotency": Idempotency(key=key, replayed=True)})  # type: ignore[return-value]

    async def _changed(self, call: Call, database: WritableDatabase, arguments: WriteArguments) -> WriteResult:
        """Run the tool and append the audit entry; of a dry run nothing but the entry stays."""
        if arguments.dry_run:
            await database.mark()
        result = await call.tool.run(call, arguments)
        assert isinstance(result, WriteResult)
        if arguments.dry_run:
            await database.undo()
        states = result.model_dump(mode="json", include={"before", "after"})
        noted = entry(
            call,
            "changed" if result.changed else "unchanged",
            dry_run=arguments.dry_run,
            contact_id=str(result.contact_id),
            version=result.version,
            **without_text(states),
        )
        audited = await database.first(ADD_AUDIT_ENTRY, entry=noted)
        assert audited is not None
        return result.model_copy(update={"audit_id": audited["id"], "dry_run": arguments.dry_run})

    def _forget_some(self, tenant_id: str) -> None:
        """Prune the tenant's old keys now and then, beside the calls."""
        now = asyncio.get_running_loop().time()
        if now - self._forgot.get(tenant_id, -_FORGET_EVERY_SECONDS) < _FORGET_EVERY_SECONDS:
            return
        if len(self._forgot) > 10_000:
            self._forgot.clear()
        self._forgot[tenant_id] = now
        self._keep(asyncio.create_task(self._forget(tenant_id)))

    async def _forget(self, tenant_id: str) -> None:
        before = datetime.now(UTC) - timedelta(hours=_KEPT_HOURS)
        deadline = asyncio.get_running_loop().time() + _CLOSING_SECONDS
        forgotten = True
        while forgotten:
            async with self._writer.transaction(tenant_id, lambda: deadline) as database:
                forgotten = bool(await database.all(FORGET_KEYS, before=before))
                await database.commit()

    def _keep(self, task: asyncio.Task[Any]) -> asyncio.Task[Any]:
        """Hold on to a task until it ends, and look at its exception where nobody else does."""
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.debug("ended with an error", error=type(error).__name__)


def _named(call: Call, key: str) -> dict[str, str]:
    return {"user_id": call.caller.user_id, "tool": call.tool.name, "key": key}
