"""No call runs for ever."""

import asyncio

from rpc_server.calls.layers import Next
from rpc_server.contract.errors import DeadlineExceeded
from rpc_server.contract.result import Result
from rpc_server.contract.tool import Call

# What has begun to be written is not stopped any more.
_OF_A_WRITE = (
    "It may or may not have been done: call again with the same idempotency_key, or read before you change it again."
)


async def deadline(proceed: Next, call: Call) -> Result:
    """End the call with DeadlineExceeded when its tool's time is over; its SQL is told the same time."""
    seconds = call.tool.timeout_seconds
    call.deadline = asyncio.get_running_loop().time() + seconds
    try:
        async with asyncio.timeout_at(call.deadline):
            return await proceed(call)
    except TimeoutError:
        advice = _OF_A_WRITE if call.tool.writes else "Ask for a shorter period or fewer agents."
        raise DeadlineExceeded(f"{call.tool.name} did not finish within {seconds:g} s. {advice}") from None
