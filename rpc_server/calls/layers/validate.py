"""Raw JSON becomes the tool's arguments."""

from rpc_server.calls.layers import Next
from rpc_server.contract.arguments import validated
from rpc_server.contract.result import Result
from rpc_server.contract.tool import Call


async def validate(proceed: Next, call: Call) -> Result:
    """Refuse with InvalidArguments what does not fit the tool's schema, naming every field at fault."""
    call.arguments = validated(call.tool.arguments, call.raw_arguments)
    return await proceed(call)
