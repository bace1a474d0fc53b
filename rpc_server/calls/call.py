"""Find the tool, open its progress, run the layers around it, and say what came of it."""

import asyncio
import hmac
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from rpc_server.calls.cache import Cache, NoCache
from rpc_server.calls.layers import Layer, compose
from rpc_server.calls.layers.log import log
from rpc_server.calls.measures import BUDGET_REFUSALS, PROGRESS_DROPPED
from rpc_server.calls.outcome import Outcome
from rpc_server.calls.recall import NOT_KEPT, Kept, Looked, Recall, SharedRecall
from rpc_server.calls.relay import MemoryRelay
from rpc_server.calls.streams import CallStream, Event, Gauge, Owner, Relay
from rpc_server.calls.telemetry import NO_METRICS, Metrics
from rpc_server.calls.trail import AuditTrail, Writer
from rpc_server.calls.writes import Writes
from rpc_server.contract.caller import Caller
from rpc_server.contract.errors import Cancelled, ShuttingDown, ToolError, UnknownTool
from rpc_server.contract.model import Model
from rpc_server.contract.query import Database
from rpc_server.contract.result import Result
from rpc_server.contract.tool import Call, Catalog, Tool

# What was cancelled has this long to stop its SQL and its requests to the model.
_STOPPING_SECONDS = 5.0


class Crm(Writer, Protocol):
    """Where a call gets its tenant's view of the CRM."""

    def snapshot(self, tenant_id: str, deadline: Callable[[], float | None]) -> AbstractAsyncContextManager[Database]:
        """Return a context that takes a connection only when a query is run in it."""
        ...


@dataclass(frozen=True, slots=True)
class Running:
    """A call under way: its events until the last one, and what comes of it."""

    call: Call
    events: AsyncIterator[Event]
    outcome: "asyncio.Task[Outcome]"


class Calls:
    """The one way in: MCP, JSON-RPC and REST all make their calls here."""

    def __init__(
        self,
        tools: Catalog,
        layers: Sequence[Layer],
        crm: Crm,
        clock: Callable[[], datetime],
        *,
        relay: Relay | None = None,
        cache: Cache | None = None,
        model: Model | None = None,
        secret: bytes | None = None,
        recall: Recall | SharedRecall | None = None,
        metrics: Metrics = NO_METRICS,
    ) -> None:
        """*secret* keys the hashes under which scores are kept; without one, they are found by this process only.

        *recall* gives answers past the layers, where all that these do is done by it.
        """
        self.tools = tools
        self.trail = AuditTrail(crm, metrics)
        self._chain = compose(layers, self._invoke)
        self._telling = layers[: layers.index(log) + 1] if log in layers else ()
        self._crm = crm
        self._writes = Writes(crm, cache or NoCache())
        self._clock = clock
        self.relay = relay or MemoryRelay()
        self._model = model
        self._metrics = metrics
        self._recall = recall
        self._secret = secret or secrets.token_bytes(32)
        self._streaming: set[asyncio.Task[Outcome]] = set()
        # Those in which calls run that do not stream, and so have no task of their own.
        self._hosts: set[asyncio.Task[Any]] = set()
        self._shutting_down = False

    async def __aenter__(self) -> "Calls":
        """Start what runs beside the calls."""
        await self.trail.__aenter__()
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Let running changes end and the audit trail be written."""
        self.stop()
        if self._streaming:
            await asyncio.wait(self._streaming, timeout=_STOPPING_SECONDS)
        await self._writes.close()
        await self.trail.__aexit__(*exception)

    def stop(self) -> None:
        """End what runs, and what would, with `shutting_down`; but a change goes on to its end."""
        if self._shutting_down:
            return
        self._shutting_down = True
        for task in (*self._streaming, *self._hosts):
            task.cancel()

    def listed_for(self, caller: Caller) -> list[Tool]:
        """Return the tools that *caller* may call, in the catalogue's order."""
        return [tool for tool in self.tools.values() if not caller.lacks(tool.permissions)]

    async def look(self, name: str, arguments: Any, caller: Caller, request_id: str) -> Looked:
        """Look for a kept answer, which is given past the layers; what else it brought, `run` wants to know."""
        tool = self.tools.get(name)
        if tool is None or self._recall is None or self._shutting_down:
            return NOT_KEPT
        return await self._recall(tool, arguments, caller, request_id)

    async def run(
        self,
        name: str,
        arguments: Any,
        caller: Caller,
        request_id: str,
        aliases: Sequence[str] = (),
        looked: Looked | None = None,
    ) -> Outcome:
        """Call the tool *name*; raises UnknownTool where there is none, and nothing else.

        A tool that streams can be watched meanwhile by its request id, or by one of its *aliases*. *looked* is
        for whoever has looked for a kept answer before.
        """
        looked = looked or await self.look(name, arguments, caller, request_id)
        if isinstance(looked, Kept):
            return looked.outcome
        call = self._call(name, arguments, caller, request_id)
        call.limit = looked.limit
        if not call.tool.streams:
            return await self._until_stopped(call)
        async with self._running(call, aliases) as running:
            return running if isinstance(running, Outcome) else await running.outcome

    @asynccontextmanager
    async def running(
        self, name: str, arguments: Any, caller: Caller, request_id: str, aliases: Sequence[str] = ()
    ) -> AsyncIterator[Running | Outcome]:
        """Start the streaming tool *name* and watch it; leaving the context before its end stops it.

        Gives an Outcome where the call was refused before it began to run. Raises UnknownTool.
        """
        async with self._running(self._call(name, arguments, caller, request_id), aliases) as running:
            yield running

    def _call(self, name: str, arguments: Any, caller: Caller, request_id: str) -> Call:
        tool = self.tools.get(name)
        if tool is None:
            raise UnknownTool(name, [tool.name for tool in self.listed_for(caller)])
        return Call(tool, caller, arguments, request_id, self._clock(), _NO_DATABASE, self.trail.note)

    @asynccontextmanager
    async def _running(self, call: Call, aliases: Sequence[str]) -> AsyncIterator[Running | Outcome]:
        owner = Owner.of(call.caller)
        try:
            if self._shutting_down:
                raise ShuttingDown
            await self.relay.open(owner, call.request_id, aliases)
        except ToolError as error:
            yield await self._refused(call, error)
            return
        stream = CallStream(self.relay, owner, call.request_id, self._dropped)
        stream.own_watcher = watcher = Gauge(self._dropped)
        task = asyncio.create_task(self._streamed(call, stream), name=f"{call.tool.name} {call.request_id}")
        self._streaming.add(task)
        task.add_done_callback(self._streaming.discard)
        try:
            yield Running(call, watcher.events(), task)
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait([task], timeout=_STOPPING_SECONDS)
            if not stream.has_ended:  # cancelled before its first step, or something nobody foresaw
                await stream.failed(Cancelled())

    async def _streamed(self, call: Call, stream: CallStream) -> Outcome:
        """Run the call and end its stream, however it ends."""
        call.progress = stream
        call.model = self._model
        call.store = lambda: self._crm.transaction(call.caller.tenant_id, lambda: call.deadline)
        call.digest = lambda text: self._digest(call.caller.tenant_id, text)
        call.over_budget = lambda budget: self._metrics.count(BUDGET_REFUSALS, budget)
        try:
            outcome = await self._outcome(call)
        except asyncio.CancelledError:
            error = ShuttingDown() if self._shutting_down else Cancelled()
            await stream.failed(error)
            return Outcome(call.tool, error=error, limit=call.limit)
        if outcome.result is not None:
            await stream.done(call.tool.name, outcome.result)
        elif outcome.error is not None:
            await stream.failed(outcome.error)
        return outcome

    def _dropped(self) -> None:
        self._metrics.count(PROGRESS_DROPPED)

    def _digest(self, tenant_id: str, text: str) -> bytes:
        return hmac.digest(self._secret, f"{tenant_id}\0{text}".encode(errors="surrogatepass"), "sha256")

    async def _until_stopped(self, call: Call) -> Outcome:
        """Run the call to its end, or to the server's; once begun, a change is not ended."""
        if self._shutting_down:
            return Outcome(call.tool, error=ShuttingDown())
        if call.tool.writes:
            return await self._outcome(call)
        task = asyncio.current_task()
        assert task is not None
        self._hosts.add(task)
        try:
            return await self._outcome(call)
        except asyncio.CancelledError:
            # Called off by `stop` alone, and not by whoever waits for it.
            if not self._shutting_down or task.uncancel():
                raise
            return Outcome(call.tool, error=ShuttingDown())
        finally:
            self._hosts.discard(task)

    async def _outcome(self, call: Call) -> Outcome:
        try:
            result = await self._chain(call)
        except ToolError as error:
            return Outcome(call.tool, error=error, limit=call.limit)
        return Outcome(call.tool, result=result, limit=call.limit, age_seconds=call.age_seconds)

    async def _refused(self, call: Call, error: ToolError) -> Outcome:
        """Have a call that never began told of like any other: by log, and by what stands outside it."""

        async def refuse(call: Call) -> Result:
            raise error

        with suppress(ToolError):
            await compose(self._telling, refuse)(call)
        return Outcome(call.tool, error=error)

    async def _invoke(self, call: Call) -> Result:
        if isinstance(call.progress, CallStream):
            call.progress.begin(call.tool.name)
        if call.tool.writes:
            return await self._writes.run(call)
        async with self._crm.snapshot(call.caller.tenant_id, lambda: call.deadline) as database:
            call.db = database
            try:
                return await call.tool.run(call, call.arguments)
            finally:
                call.db = _NO_DATABASE  # which knows the call; that would be a cycle


class _NoDatabase:
    """Stands in a call until the tool runs: no layer before it may touch the CRM."""

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        raise RuntimeError("the CRM is reached from within a tool only")


_NO_DATABASE: Any = _NoDatabase()
