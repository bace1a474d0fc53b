"""No call runs for ever."""

import asyncio

from rpc_server.calls.layers import Next
from rpc_server.contract.errors import DeadlineExceeded
from rpc_server.contract.result import Result
from rpc_server.contract.tool import Call


async def deadline(proceed: Next, call: Call) -> Result:
    """End the call with DeadlineExceeded when its tool's time is over; its SQL is told the same time."""
    seconds = call.tool.timeout_seconds
    call.deadline = asyncio.get_running_loop().time() + seconds
    try:
        async with asyncio.timeout_at(call.deadline):
            return await proceed(call)
    except TimeoutError:
        raise DeadlineExceeded(
            f"{call.tool.name} did not finish within {seconds:g} s. Ask for a shorter period or fewer agents."
        ) from None
