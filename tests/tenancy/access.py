"""The database as the server's login reaches it, without the server in between."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias

import asyncpg

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

# Flags only: nothing of any row is in it.
WITHOUT_ROWS = frozenset({"sources"})


@asynccontextmanager
async def acting(connection: Connection, tenant: str | None, role: str = "mcp_reader") -> AsyncIterator[None]:
    """Act for *tenant* (None: none is set) in a role, in a transaction that may write and is rolled back."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute(f"set local role {role}")
        if tenant is not None:
            await connection.execute("select set_config('mcp.tenant_id', $1, true)", tenant)
        yield
    finally:
        await transaction.rollback()


async def views(connection: Connection) -> list[str]:
    """Return the names of all views in the schema mcp, as the catalogue has them."""
    rows = await connection.fetch(
        "select relname from pg_class where relnamespace = 'mcp'::regnamespace and relkind in ('v', 'm') order by 1"
    )
    return [row["relname"] for row in rows]


async def columns(connection: Connection, view: str) -> list[str]:
    """Return the names of a view's columns."""
    rows = await connection.fetch(
        "select attname from pg_attribute where attrelid = $1::regclass and attnum > 0 order by attnum", f"mcp.{view}"
    )
    return [row["attname"] for row in rows]
