"""Waiting for what another task or process does, and looking into Redis."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from rpc_server.backends.redis import SharedRedis

PATIENCE = 30


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    """Return when *condition* holds."""
    async with asyncio.timeout(PATIENCE):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.01)


async def lives_of(redis: SharedRedis | None) -> dict[str, int]:
    """Return every key of a deployment, and for how many milliseconds more it is there."""
    assert redis is not None

    async def look(client: Any) -> dict[str, int]:
        keys = await client.keys(f"{redis._prefix}:*")
        return {key.decode(): await client.pttl(key) for key in keys}

    return await redis.run(look)
