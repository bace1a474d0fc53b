"""Find the tool, run the layers around it, and say what came of it."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from rpc_server.calls.layers import Layer, compose
from rpc_server.calls.trail import AuditTrail, Writer
from rpc_server.calls.writes import Writes
from rpc_server.contract.caller import Caller
from rpc_server.contract.errors import ToolError, UnknownTool
from rpc_server.contract.query import Database
from rpc_server.contract.result import Result
from rpc_server.contract.tool import Call, Catalog, Tool


class Crm(Writer, Protocol):
    """Where a call gets its tenant's view of the CRM."""

    def snapshot(self, tenant_id: str, deadline: Callable[[], float | None]) -> AbstractAsyncContextManager[Database]:
        """Return a context that takes a connection only when a query is run in it."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a call: a result or an error, never both."""

    tool: Tool
    result: Result | None = None
    error: ToolError | None = None


class Calls:
    """The one way in: MCP, JSON-RPC and REST all make their calls here."""

    def __init__(self, tools: Catalog, layers: Sequence[Layer], crm: Crm, clock: Callable[[], datetime]) -> None:
        self.tools = tools
        self.trail = AuditTrail(crm)
        self._chain = compose(layers, self._invoke)
        self._crm = crm
        self._writes = Writes(crm)
        self._clock = clock

    async def __aenter__(self) -> "Calls":
        """Start what runs beside the calls."""
        await self.trail.__aenter__()
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Let running changes end and the audit trail be written."""
        await self._writes.close()
        await self.trail.__aexit__(*exception)

    def listed_for(self, caller: Caller) -> list[Tool]:
        """Return the tools that *caller* may call, in the catalogue's order."""
        return [tool for tool in self.tools.values() if not caller.lacks(tool.permissions)]

    async def run(self, name: str, arguments: Any, caller: Caller, request_id: str) -> Outcome:
        """Call the tool *name*; raises UnknownTool where there is none, and nothing else."""
        tool = self.tools.get(name)
        if tool is None:
            raise UnknownTool(name, [tool.name for tool in self.listed_for(caller)])
        call = Call(tool, caller, arguments, request_id, self._clock(), _NO_DATABASE, self.trail.note)
        try:
            return Outcome(tool, result=await self._chain(call))
        except ToolError as error:
            return Outcome(tool, error=error)

    async def _invoke(self, call: Call) -> Result:
        if call.tool.writes:
            return await self._writes.run(call)
        async with self._crm.snapshot(call.caller.tenant_id, lambda: call.deadline) as database:
            call.db = database
            return await call.tool.run(call, call.arguments)


class _NoDatabase:
    """Stands in a call until the tool runs: no layer before it may touch the CRM."""

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        raise RuntimeError("the CRM is reached from within a tool only")


_NO_DATABASE: Any = _NoDatabase()
