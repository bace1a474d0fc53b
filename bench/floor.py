"""The floor: one bare aiohttp handler, without auth, limits, cache, logs or figures. `python -m bench.floor PORT`.

POST /canned answers from memory, POST /isolated runs what get_leads_count runs in a tenant's own transaction, as
the server does: opened in one round trip with role, tenant and time-out, and rolled back at the end. POST /single
runs the peers' one statement in such a transaction.
"""

import os
import sys
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import uvloop
from aiohttp import web

from bench.stand import TENANT
from handlers.leads import COUNT_LEADS
from rpc_server.backends.postgres import Snapshot

_POOL = web.AppKey("pool", asyncpg.Pool)
_STATEMENT = Path(__file__).with_name("peers").joinpath("leads_count.sql").read_text(encoding="utf-8")
_OPENING = f"{Snapshot.opening};set local mcp.tenant_id = '{TENANT}';set local statement_timeout = 60000"
# About as large as the server's own.
_CANNED = orjson.dumps({"total_leads": 0, "words": "x" * 1700})


async def _connected(app: web.Application) -> AsyncIterator[None]:
    async def keep(connection: Any) -> None:
        pass  # all that is set is local to the transaction

    url = os.environ["DATABASE_URL"]
    async with asyncpg.create_pool(url, min_size=1, max_size=10, reset=keep) as app[_POOL]:
        yield


async def canned(request: web.Request) -> web.Response:
    """Read the body, and answer."""
    orjson.loads(await request.read())
    return web.Response(body=_CANNED, content_type="application/json")


async def isolated(request: web.Request) -> web.Response:
    """Run the statement of get_leads_count."""
    moments = _moments(await request.read())
    async with request.app[_POOL].acquire() as connection:
        await connection.execute(_OPENING)
        counts = await connection.fetchrow(COUNT_LEADS.text, *moments, "all")
        await connection.execute("rollback")
    return _figures(counts)


async def single(request: web.Request) -> web.Response:
    """Run the peers' statement."""
    moments = _moments(await request.read())
    async with request.app[_POOL].acquire() as connection:
        await connection.execute(_OPENING)
        row = await connection.fetchrow(_STATEMENT, *moments)
        await connection.execute("rollback")
    return _figures(row)


def _moments(body: bytes) -> list[datetime]:
    asked = orjson.loads(body)
    return [datetime.fromisoformat(asked[name]) for name in ("start", "end", "previous_start", "previous_end")]


def _figures(row: asyncpg.Record | None) -> web.Response:
    return web.Response(body=orjson.dumps(dict(row or {})), content_type="application/json")


def main() -> None:
    """Serve until told to stop."""
    app = web.Application()
    app.cleanup_ctx.append(_connected)
    app.add_routes(
        [web.post("/canned", canned), web.post("/isolated", isolated), web.post("/single", single)],
    )
    uvloop.install()
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)


if __name__ == "__main__":
    main()
