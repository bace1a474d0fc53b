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
    except Exception as error:
        if call.tool.writes or isinstance(error, PermissionDenied):
            outcome = error.code if isinstance(error, ToolError) else "internal"
            # Without arguments that were found valid there is nothing more to say.
            asked = call.arguments and call.arguments.model_dump(mode="json", include={"contact_id", "dry_run"})
            call.note(call.caller.tenant_id, entry(call, outcome, **asked or {}))
        raise
