"""Who may call: the same question that decides what a caller sees in the list of tools."""

from rpc_server.calls.layers import Next
from rpc_server.contract.errors import PermissionDenied
from rpc_server.contract.result import Result
from rpc_server.contract.tool import Call


async def permit(proceed: Next, call: Call) -> Result:
    """Refuse with PermissionDenied a caller whose token lacks what the tool needs."""
    missing = call.caller.lacks(call.tool.permissions)
    if missing:
        raise PermissionDenied(call.tool.name, missing, sorted(call.tool.permissions))
    return await proceed(call)
