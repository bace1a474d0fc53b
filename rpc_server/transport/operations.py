"""For whoever runs the server: is it alive, is it ready."""

import asyncio

from aiohttp import web

from rpc_server.backends.postgres import Postgres
from rpc_server.contract.errors import ToolError
from rpc_server.transport.answers import json_response

_CHECK_SECONDS = 3.0


def routes(postgres: Postgres) -> list[web.RouteDef]:
    """Return the routes that need no token."""

    async def health(request: web.Request) -> web.Response:
        """Alive: touches no dependency, so that a lost database restarts nothing."""
        return json_response({"status": "ok"})

    async def ready(request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                await postgres.check()
        except (ToolError, TimeoutError):
            return json_response({"status": "unavailable", "dependencies": {"postgres": "unavailable"}}, 503)
        return json_response({"status": "ok", "dependencies": {"postgres": "ok"}})

    return [web.get("/health", health), web.get("/ready", ready)]
