"""A row for every refusal: who tried what, and was not let."""

from rpc_server.calls.layers import Next
from rpc_server.calls.trail import entry
from rpc_server.contract.errors import PermissionDenied, ToolError
from rpc_server.contract.result import Result
from rpc_server.contract.tool import Call


async def audit(proceed: Next, call: Call) -> Result:
    """Note refused callers of any tool, and every failed write; a change notes itself where it happens."""
    try:
        return await proceed(call)
    except ToolError as error:
        if call.tool.writes or isinstance(error, PermissionDenied):
            call.note(call.caller.tenant_id, entry(call, error.code))
        raise
