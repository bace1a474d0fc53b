"""Asking again: what is worth it, when, and never later than the caller waits."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from mcp_client.errors import ConnectionFailed, MCPError, RateLimited, ServiceUnavailable

_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 8.0

T = TypeVar("T")


async def repeated(
    send: Callable[[], Awaitable[T]], may_repeat: Callable[[], Awaitable[bool]], retries: int, deadline: float
) -> T:
    """Return what *send* returns, asking at most *retries* times more where waiting may help.

    *may_repeat* is asked only after a failure, and says whether doing it twice would do harm. Nothing is begun that
    could not be before *deadline* (in the loop's time): the failure is raised at once instead.
    """
    attempt = 1
    while True:
        try:
            return await send()
        except (ConnectionFailed, RateLimited, ServiceUnavailable) as error:
            wait = pause(attempt, error)
            if attempt > retries or asyncio.get_running_loop().time() + wait >= deadline or not await may_repeat():
                raise
        await asyncio.sleep(wait)
        attempt += 1


def pause(attempt: int, error: MCPError) -> float:
    """Return how many seconds to wait after the *attempt*-th failure: what the server asked for, and some chance.

    The chance spreads those who failed together, so that they do not come back together.
    """
    longest = min(_FIRST_PAUSE * 2 ** min(attempt - 1, 10), _LONGEST_PAUSE)
    return (error.retry_after or 0.0) + random.uniform(longest / 2, longest)  # noqa: S311 - guards nothing
