"""MCP over Streamable HTTP: one address for every version."""

from collections.abc import Callable
from functools import lru_cache

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from rpc_server.backends.session_memory import SessionMemory
from rpc_server.calls.call import Calls
from rpc_server.protocol import mcp_headers, mcp_modern
from rpc_server.protocol.errors import Refusal
from rpc_server.protocol.jsonrpc import INVALID_REQUEST, Fault
from rpc_server.protocol.mcp_message import parse
from rpc_server.protocol.server_info import ServerInfo
from rpc_server.protocol.session import SessionSeal
from rpc_server.protocol.versions import VERSIONS
from rpc_server.settings import Settings
from rpc_server.transport.body import read_body
from rpc_server.transport.mcp_answer import Answer, Answering
from rpc_server.transport.mcp_delivery import json_answer
from rpc_server.transport.mcp_sessions import Sessions
from rpc_server.transport.mcp_stateless import Stateless
from rpc_server.transport.mcp_work import Work

_JSON, _EVENTS = "application/json", "text/event-stream"
_RANGES = {_JSON: (_JSON, "application/*", "*/*"), _EVENTS: (_EVENTS, "text/*", "*/*")}


class Mcp:
    """The endpoint: both eras behind one address, and the work that they share."""

    def __init__(
        self,
        calls: Calls,
        info: ServerInfo,
        settings: Settings,
        *,
        seal: SessionSeal,
        memory: SessionMemory,
        report: Callable[[BaseException], str],
    ) -> None:
        """*report* logs what nobody foresaw and returns the incident id that the client is told."""
        answering = Answering(calls, info, report)
        self._work = Work()
        self._settings = settings
        self._stateless = Stateless(answering)
        self._sessions = Sessions(
            answering, info, self._work, seal=seal, memory=memory, batch_concurrency=settings.batch_concurrency
        )

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return _routes(self._stateless, self._sessions, self._settings)

    async def close(self, app: web.Application) -> None:
        """Stop what still runs for clients that have gone away."""
        await self._work.close()


def _routes(stateless: Stateless, sessions: Sessions, settings: Settings) -> list[web.RouteDef]:

    async def post(request: web.Request) -> web.StreamResponse:
        _check_media_types(request)
        body = await read_body(request)
        parsed = parse(body, max_batch=settings.max_batch, max_depth=settings.max_json_depth)
        fault = parsed.members[0]
        if not parsed.is_batch and isinstance(fault, Fault) and not fault.is_response:
            return json_answer(Answer.error(fault.id, fault.code, fault.message, fault.data, status=400))
        if mcp_modern.is_meant(request.headers, parsed):
            return await stateless.post(request, parsed)
        return await sessions.post(request, parsed)

    async def get(request: web.Request) -> web.StreamResponse:
        """Resume a stream; there is no other, because the server says nothing unasked."""
        last_seen = request.headers.get("Last-Event-ID")
        if last_seen is None or _is_stateless(request):
            raise _not_allowed(request)
        if not _accepts(request, _EVENTS):
            raise Refusal(INVALID_REQUEST, f"The Accept header must list {_EVENTS}.", status=406)
        return await sessions.resume(request, last_seen)

    async def delete(request: web.Request) -> web.StreamResponse:
        if _is_stateless(request):
            raise _not_allowed(request)
        return await sessions.end(request)

    return [
        web.post("/mcp", _refusing(post)),
        web.get("/mcp", _refusing(get), allow_head=False),
        web.delete("/mcp", _refusing(delete)),
    ]


def _refusing(handler: Handler) -> Handler:
    """Answer a Refusal of a message as a whole, whose id is not known."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except Refusal as refusal:
            return json_answer(Answer.refused(None, refusal, status=refusal.status))

    return handle


def _check_media_types(request: web.Request) -> None:
    if not (_accepts(request, _JSON) and _accepts(request, _EVENTS)):
        raise Refusal(INVALID_REQUEST, f"The Accept header must list both {_JSON} and {_EVENTS}.", status=406)
    sent = request.headers.get(hdrs.CONTENT_TYPE)
    if sent != _JSON and (sent is None or request.content_type != _JSON):
        raise Refusal(INVALID_REQUEST, f"The Content-Type must be {_JSON}.", status=415)


def _accepts(request: web.Request, media_type: str) -> bool:
    """Tell whether the client takes *media_type*; one that it gives no weight (q=0) it does not."""
    return _takes(",".join(request.headers.getall(hdrs.ACCEPT, [])), media_type)


@lru_cache(maxsize=128)
def _takes(accepted: str, media_type: str) -> bool:
    for part in accepted.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        if name in _RANGES[media_type] and not any(_is_no_weight(parameter) for parameter in parameters):
            return True
    return False


def _is_no_weight(parameter: str) -> bool:
    return parameter.startswith("q=") and not parameter[2:].strip("0.")


def _is_stateless(request: web.Request) -> bool:
    version = VERSIONS.get(request.headers.get(mcp_headers.VERSION, ""))
    return version is not None and version.is_stateless


def _not_allowed(request: web.Request) -> web.HTTPMethodNotAllowed:
    allowed = ["POST"] if _is_stateless(request) else ["POST", "DELETE"]
    return web.HTTPMethodNotAllowed(request.method, allowed)
