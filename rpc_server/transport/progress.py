"""Server-Sent Events: a call that streams to whoever made it, and to those who watch it."""

from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from typing import Any

from aiohttp import hdrs, web
from aiohttp_sse import sse_response

from rpc_server.calls.call import Calls
from rpc_server.calls.outcome import Outcome
from rpc_server.calls.streams import Event, Owner
from rpc_server.contract.errors import FieldProblem, InvalidArguments, PermissionDenied, ToolError, UnknownTool
from rpc_server.contract.limit import Decision
from rpc_server.contract.tool import Tool
from rpc_server.protocol.json_body import BodyFault, read_json
from rpc_server.protocol.query_arguments import from_query
from rpc_server.settings import Settings
from rpc_server.transport.answers import limit_headers, tool_error_response
from rpc_server.transport.body import read_body
from rpc_server.transport.connection import stopped_when_gone
from rpc_server.transport.middleware import CALLER, REQUEST_ID
from rpc_server.transport.whole import SERVER_NAME

# A watcher that takes nothing for so long is dropped.
_SEND_SECONDS = 20.0
_PING_SECONDS = 15.0


def routes(calls: Calls, settings: Settings) -> list[web.RouteDef]:
    """Return the routes of streams."""

    async def stream(request: web.Request) -> web.StreamResponse:
        """Run a tool and stream its progress; whoever closes the stream stops the call."""
        request_id = request[REQUEST_ID]
        try:
            tool = _streaming_tool(calls, request)
            arguments = await _arguments(request, tool, settings.max_json_depth)
            with stopped_when_gone(request):
                async with calls.running(tool.name, arguments, request[CALLER], request_id) as running:
                    if isinstance(running, Outcome):
                        return _refusal(running, request_id)
                    first = await anext(running.events)
                    if first.stage == "error":  # refused before the tool began: the status can still say so
                        return _refusal(await running.outcome, request_id)
                    return await _send(request, first, running.events, running.call.limit)
        except ToolError as error:
            return tool_error_response(error, request_id)

    async def watch(request: web.Request) -> web.StreamResponse:
        """Stream the progress of one of the caller's own calls; closing it leaves the call alone."""
        name, owner = request.match_info["request_id"], Owner.of(request[CALLER])
        try:
            _require_permission(calls, request)
            after = _last_event_id(request)
            with stopped_when_gone(request):
                async with aclosing(calls.relay.watch(owner, name, after, settings.progress_wait_seconds)) as events:
                    async for first in events:
                        return await _send(request, first, events)
                    return web.Response(status=204)  # all seen: tells a browser not to come back
        except ToolError as error:
            return tool_error_response(error, request[REQUEST_ID])

    return [
        web.get("/progress/{request_id}", watch, allow_head=False),
        web.get("/v1/tools/{name}/stream", stream, allow_head=False),
        web.post("/v1/tools/{name}/stream", stream),
    ]


def _streaming_tool(calls: Calls, request: web.Request) -> Tool:
    """Return the tool of the address; raises UnknownTool, or InvalidArguments where it does not stream."""
    name = request.match_info["name"]
    listed = calls.listed_for(request[CALLER])
    tool = calls.tools.get(name)
    if tool is None:
        raise UnknownTool(name, [tool.name for tool in listed])
    if not tool.streams:
        raise InvalidArguments(
            [
                FieldProblem(
                    "name",
                    f"{name} does not stream; call it by POST /v1/tools/execute",
                    allowed=tuple(tool.name for tool in listed if tool.streams),
                )
            ]
        )
    return tool


def _require_permission(calls: Calls, request: web.Request) -> None:
    """Refuse with PermissionDenied a token that may not make such calls, be it of the user who made this one.

    A stream bears its tool's answer and does not say which tool that is, so what any of them needs is needed.
    """
    required = frozenset[str]().union(*(tool.permissions for tool in calls.tools.values() if tool.streams))
    if missing := request[CALLER].lacks(required):
        raise PermissionDenied("progress", missing, sorted(required))


async def _arguments(request: web.Request, tool: Tool, max_depth: int) -> Any:
    """Return the arguments of the query (GET) or of the JSON body (POST; those of the query where it is empty)."""
    body = await read_body(request) if request.method == "POST" else b""
    if not body.strip():
        return from_query(request.query.items(), tool.input_schema)
    try:
        return read_json(body, max_depth=max_depth)
    except BodyFault as fault:
        raise InvalidArguments([FieldProblem("body", str(fault))]) from None


def _last_event_id(request: web.Request) -> int:
    """Return the number of the last event that the watcher has seen, 0 for none; raises InvalidArguments."""
    sent = request.headers.get("Last-Event-ID", "0")
    if not (sent.isascii() and sent.isdecimal() and len(sent) <= 9):
        raise InvalidArguments([FieldProblem("Last-Event-ID", "is no id of an event", expected="the id last received")])
    return int(sent)


def _refusal(outcome: Outcome, request_id: str) -> web.Response:
    assert outcome.error is not None
    response = tool_error_response(outcome.error, request_id)
    response.headers.update(limit_headers(outcome.limit))
    return response


async def _send(
    request: web.Request, first: Event, others: AsyncIterator[Event], limit: Decision | None = None
) -> web.StreamResponse:
    """Send events as they come; who is gone, or takes nothing any more, gets no more of them."""
    headers = {"X-Request-Id": request[REQUEST_ID], hdrs.SERVER: SERVER_NAME, **limit_headers(limit)}
    async with sse_response(
        request,
        headers=headers,
        allow_all_methods=True,
        ping_interval=_PING_SECONDS,
        send_timeout=_SEND_SECONDS,
    ) as response:
        with suppress(ConnectionError, TimeoutError):
            await response.send(first.body.decode(), id=str(first.id))
            if not first.is_last:
                async for event in others:
                    await response.send(event.body.decode(), id=str(event.id))
    return response
