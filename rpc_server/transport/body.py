"""Reading a request's body: bounded in size and in time."""

import asyncio

from aiohttp import web

from rpc_server.settings import Settings

SETTINGS = web.AppKey("settings", Settings)


async def read_body(request: web.Request) -> bytes:
    """Return the body; 413 where it is too large, 408 where it does not arrive in time."""
    try:
        async with asyncio.timeout(request.app[SETTINGS].body_seconds):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
