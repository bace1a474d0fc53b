"""The whole time that a call may take."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mcp_client.errors import TimedOut


@asynccontextmanager
async def within(seconds: float, request_id: str) -> AsyncIterator[float]:
    """Give the time (of the loop) by which all must be done; raises TimedOut when it is over."""
    deadline = asyncio.get_running_loop().time() + positive(seconds)
    try:
        async with asyncio.timeout_at(deadline):
            yield deadline
    except TimeoutError:
        message = f"No answer within {seconds:g} s; the call may still be running."
        raise TimedOut(message, request_id=request_id) from None


def positive(seconds: float) -> float:
    """Return *seconds*; raises ValueError where that is no time to wait."""
    if not seconds > 0:
        raise ValueError("A time to wait must be more than 0 seconds.")
    return seconds
