"""For whoever runs the server: is it alive, is it ready."""

import asyncio
from typing import Protocol

from aiohttp import web

from rpc_server.backends.postgres import Postgres
from rpc_server.transport.answers import json_response
from rpc_server.transport.lifecycle import Lifecycle

_CHECK_SECONDS = 3.0
_STATUS = {"ok": 200, "degraded": 200, "unavailable": 503, "draining": 503}


class Checked(Protocol):
    """Something that the server can do without."""

    async def check(self) -> bool:
        """Tell whether it is fit for use."""
        ...


def routes(postgres: Postgres, redis: Checked | None, lifecycle: Lifecycle) -> list[web.RouteDef]:
    """Return the routes that need no token."""

    async def health(request: web.Request) -> web.Response:
        """Alive: touches no dependency, so that a lost database restarts nothing."""
        return json_response({"status": "ok"})

    async def ready(request: web.Request) -> web.Response:
        """Ready: not while it stops, nor without PostgreSQL; "degraded" still takes calls."""
        found = {"postgres": await _standing(postgres)}
        if redis is not None:
            found["redis"] = "ok" if await redis.check() else "degraded"
        if not lifecycle.is_ready:
            status = "draining"
        elif found["postgres"] == "unavailable":
            status = "unavailable"
        else:
            status = "ok" if set(found.values()) == {"ok"} else "degraded"
        return json_response({"status": status, "dependencies": found}, _STATUS[status])

    return [web.get("/health", health), web.get("/ready", ready)]


async def _standing(postgres: Postgres) -> str:
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            return await postgres.standing()
    except TimeoutError:
        return "unavailable"
