"""Waiting for what happens elsewhere: as long as it takes, within reason."""

import asyncio
from collections.abc import Callable

_REASON_SECONDS = 30.0


async def until(condition: Callable[[], bool], seconds: float = _REASON_SECONDS) -> None:
    """Return when *condition* holds; a TimeoutError after *seconds*."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in other processes
            await asyncio.sleep(0.01)
