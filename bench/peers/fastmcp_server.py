"""get_leads_count on FastMCP, as its documentation shows: run in an environment of its own."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
from fastmcp import FastMCP

STATEMENT = Path(os.environ["STATEMENT"]).read_text()
KEPT: dict[tuple[datetime, ...], dict[str, int]] | None = {} if os.environ.get("CACHE") == "memory" else None
POOLS: list[Any] = []


@asynccontextmanager
async def lifespan(server: Any) -> AsyncIterator[None]:
    """Open the pool."""
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1, max_size=10) as pool:
        POOLS[:] = [pool]
        yield


mcp = FastMCP("peer", lifespan=lifespan)


@mcp.tool()
async def get_leads_count(
    start: datetime, end: datetime, previous_start: datetime, previous_end: datetime
) -> dict[str, int]:
    """Count the leads created in a period, by decision, beside the period before."""
    key = (start, end, previous_start, previous_end)
    if KEPT is not None and key in KEPT:
        return KEPT[key]
    answer = dict(await POOLS[0].fetchrow(STATEMENT, *key))
    if KEPT is not None:
        KEPT[key] = answer
    return answer


mcp.run(
    "http",
    host="127.0.0.1",
    port=int(sys.argv[1]),
    stateless_http=True,
    json_response=True,
    show_banner=False,
    log_level="WARNING",
    uvicorn_config={"access_log": False},
)
