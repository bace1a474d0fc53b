"""A span for each call, by MCP's semantic conventions, whichever way the call came in."""

from rpc_server.calls.layers import Layer, Next
from rpc_server.calls.log_context import logged_with
from rpc_server.calls.tracing import WIRE, Traces, Wire
from rpc_server.contract.errors import ProtocolError, ToolError
from rpc_server.contract.result import Result
from rpc_server.contract.tool import Call

_NO_WIRE = Wire("")


def tracing(traces: Traces) -> Layer:
    """Make the layer that traces calls; it stands outside log, whose lines then bear the trace's id."""

    async def trace(proceed: Next, call: Call) -> Result:
        wire = WIRE.get() or _NO_WIRE
        name = f"tools/call {call.tool.name}"
        with (
            traces.span(name, _told(call, wire), kind="server", remote=wire.remote) as span,
            logged_with(trace_id=span.trace_id),
        ):
            try:
                return await proceed(call)
            except ProtocolError as error:
                span.set("rpc.response.status_code", str(error.rpc_code))
                span.failed(str(error.rpc_code))
                raise
            except ToolError as error:
                span.set("crm_mcp.outcome", error.code)
                span.failed("tool_error")
                raise

    return trace


def _told(call: Call, wire: Wire) -> dict[str, str | int]:
    """Return what the span says from the start; no session's id, which is a secret of its holder."""
    said: dict[str, str | int] = {
        "mcp.method.name": "tools/call",
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": call.tool.name,
        "network.transport": "tcp",
        "network.protocol.name": "http",
    }
    if wire.request_id:
        said["jsonrpc.request.id"] = wire.request_id
    if wire.protocol_version:
        said["mcp.protocol.version"] = wire.protocol_version
    return said
