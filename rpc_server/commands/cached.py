"""What a command changes, running servers forget."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import typer

from rpc_server.backends.shared import open_redis
from rpc_server.commands.failure import CommandFailed
from rpc_server.settings import Settings


@asynccontextmanager
async def changing(settings: Settings, tenant: str) -> AsyncIterator[None]:
    """Change a tenant's data in the block; then the answers are forgotten that servers keep in Redis.

    What a server keeps itself is gone after five minutes. Raises CommandFailed before the block where
    REDIS_URL cannot be one.
    """
    try:
        redis = open_redis(settings)
    except ValueError as error:
        raise CommandFailed(f"{error}.") from None
    yield
    if redis is None:
        return
    from rpc_server.backends.redis_cache import RedisCache

    async with redis:
        if not await RedisCache(redis).forget(tenant):
            typer.echo("Redis does not answer: servers may show the former figures for up to 5 minutes.", err=True)
