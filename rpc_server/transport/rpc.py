"""JSON-RPC 2.0 at POST /rpc: single, notification, batch; no handshake."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from rpc_server.calls.call import Calls
from rpc_server.calls.dispatch import Dispatcher, Method, MethodError
from rpc_server.calls.outcome import Outcome
from rpc_server.calls.recall import Kept, Looked
from rpc_server.calls.tracing import WIRE, Remote, Wire
from rpc_server.contract.caller import Caller
from rpc_server.contract.errors import PermissionDenied, UnknownTool
from rpc_server.contract.limit import Decision
from rpc_server.contract.result import Result
from rpc_server.protocol.jsonrpc import INVALID_PARAMS, NO_ID, Request, encode, success_member
from rpc_server.protocol.tool_shapes import listed, tool_failure, tool_result
from rpc_server.transport.answers import add_headers
from rpc_server.transport.body import read_body
from rpc_server.transport.middleware import CALLER, REQUEST_ID
from rpc_server.transport.repeats import LOOKED, Blanks, repeatable
from rpc_server.transport.whole import WholeResponse


@dataclass(slots=True)
class RpcContext:
    """Who sent a body; and, for HTTP's sake, whether its only request was refused, and the limit closest to its end.

    *before* is what came of a look for a kept answer to its only request, *kept* the answer that was found.
    """

    caller: Caller
    request_id: str
    refused: PermissionDenied | None = None
    limit: Decision | None = None
    before: Looked | None = None
    kept: Kept | None = None

    def note(self, outcome: Outcome) -> None:
        """Take from what came of a call what belongs into headers."""
        if isinstance(outcome.error, PermissionDenied):
            self.refused = outcome.error
        limit = outcome.limit
        if limit is not None and (self.limit is None or limit.remaining <= self.limit.remaining):
            self.limit = limit


@dataclass(frozen=True, slots=True)
class RpcCall:
    """One request of a body; its JSON-RPC id also names its progress."""

    body: RpcContext
    request_id: str
    alias: str


def member_context(body: RpcContext, request: Request, place: int | None) -> RpcCall:
    """Return a request's own context; in a batch its request id is the body's with its place, from 1."""
    request_id = body.request_id if place is None else f"{body.request_id}.{place + 1}"
    return RpcCall(body, request_id, "" if request.id is NO_ID else str(request.id))


def methods(calls: Calls) -> Mapping[str, Method]:
    """Return the JSON-RPC methods."""

    async def list_tools(context: RpcCall, cursor: str | None = None, _meta: Any = None) -> dict[str, Any]:
        if cursor is not None:
            raise MethodError(INVALID_PARAMS, "There is no such cursor: the list of tools has a single page.")
        return {"tools": [listed(tool) for tool in calls.listed_for(context.body.caller)]}

    async def call_tool(context: RpcCall, name: str, arguments: Any = None, _meta: Any = None) -> dict[str, Any]:
        if not isinstance(name, str):
            raise MethodError(INVALID_PARAMS, "name must be the name of a tool; tools/list has them.")
        try:
            aliases = [alias for alias in (context.alias, progress_token(_meta)) if alias]
            WIRE.set(Wire(context.alias, remote=Remote.of(_meta) if isinstance(_meta, dict) else None))
            looked = context.body.before or await calls.look(name, arguments, context.body.caller, context.request_id)
            if isinstance(looked, Kept):
                context.body.kept = looked
            outcome = await calls.run(name, arguments, context.body.caller, context.request_id, aliases, looked)
        except UnknownTool as unknown:
            raise MethodError(INVALID_PARAMS, unknown.message, unknown.details) from None
        context.body.note(outcome)
        if outcome.error is not None:
            return tool_failure(outcome.error)
        assert outcome.result is not None
        return tool_result(outcome.result, outcome.cache)

    return {"tools/list": list_tools, "tools/call": call_tool}


def _kept(result: Result, blanks: Blanks) -> bytes:
    return encode(success_member(blanks.id, tool_result(result, blanks.cache)))


def progress_token(meta: Any) -> str:
    """Return the token under which a request's `_meta` asks for progress, as text; empty where it does not."""
    token = meta.get("progressToken") if isinstance(meta, dict) else None
    return str(token) if isinstance(token, str | int) and not isinstance(token, bool) else ""


def routes(dispatcher: Dispatcher) -> list[web.RouteDef]:
    """Return the route of JSON-RPC."""

    async def rpc(request: web.Request) -> web.StreamResponse:
        parsed = dispatcher.parse(await read_body(request))
        context = RpcContext(request[CALLER], request[REQUEST_ID], before=request.get(LOOKED))
        answer = await dispatcher.run(parsed, context)
        if answer is None:
            return web.Response(status=204)
        if context.kept is not None and not parsed.is_batch:
            repeatable(request, context.kept, _kept, id=parsed.members[0].id)
        response = WholeResponse(answer, context.limit)
        if context.refused is not None and not parsed.is_batch:
            response.set_status(403)
            add_headers(response, context.refused)
        return response

    return [web.post("/rpc", rpc)]
