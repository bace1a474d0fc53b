"""MCP 2026-07-28 over HTTP: a request, its answer, and nothing that outlives them."""

from functools import partial

from aiohttp import web

from rpc_server.calls.recall import Kept
from rpc_server.protocol import mcp_modern
from rpc_server.protocol.errors import Refusal
from rpc_server.protocol.jsonrpc import NO_ID, Parsed
from rpc_server.protocol.mcp_headers import mirrored_arguments
from rpc_server.protocol.versions import V2026_07_28
from rpc_server.transport.connection import stopped_when_gone
from rpc_server.transport.mcp_answer import Answer, Answering, Asked
from rpc_server.transport.mcp_delivery import delivered, json_answer
from rpc_server.transport.middleware import CALLER, REQUEST_ID
from rpc_server.transport.repeats import LOOKED, kept_answer


class Stateless:
    """Takes the messages of the version that has no sessions."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self._methods = ["server/discover", *answering.methods]
        self._kept = partial(answering.kept, V2026_07_28)
        self._mirrored = {tool.name: mirrored_arguments(tool.input_schema) for tool in answering.tools}

    async def post(self, request: web.Request, parsed: Parsed) -> web.StreamResponse:
        """Take a request or a notification; whoever closes the connection stops the request."""
        message = mcp_modern.single_request(parsed)
        if message.id is NO_ID:
            mcp_modern.judge_notification(request.headers)
            return web.Response(status=202)
        try:
            envelope = mcp_modern.judge(request.headers, message, methods=self._methods, mirrored=self._mirrored)
        except Refusal as refusal:
            return json_answer(Answer.refused(message.id, refusal, status=refusal.status))
        caller, request_id = request[CALLER], request[REQUEST_ID]
        looked = None
        if message.method == "tools/call":
            looked = request.get(LOOKED) or await self._answering.look(envelope.params, caller, request_id)
            if isinstance(looked, Kept):
                return kept_answer(request, looked, self._kept, id=message.id)
        asked = Asked(
            method=message.method,
            id=message.id,
            params=envelope.params,
            version=V2026_07_28,
            caller=caller,
            request_id=request_id,
            progress_token=envelope.progress_token,
            capabilities=envelope.capabilities,
            log_level=envelope.log_level,
            looked=looked,
        )
        with stopped_when_gone(request):
            return await delivered(request, asked, self._answering)
