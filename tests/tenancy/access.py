"""The database as the server's login reaches it, without the server in between."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias

import asyncpg

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

# Flags and sums only: nothing of any row is in them.
WITHOUT_ROWS = frozenset({"lead_slots", "sources"})


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


async def views(connection: Connection, role: str = "mcp_writer", privilege: str = "SELECT") -> list[str]:
    """Return the names of the views in the schema mcp of which a role may use any column.

    Without those over nothing, which an adopted CRM has where it lacks a table.
    """
    rows = await connection.fetch(
        """
        select c.relname
          from pg_class c
         where c.relnamespace = 'mcp'::regnamespace
           and c.relkind in ('v', 'm')
           and has_any_column_privilege($1, c.oid, $2)
           and pg_get_viewdef(c.oid) like '% FROM %'
         order by 1
        """,
        role,
        privilege,
    )
    return [row["relname"] for row in rows]


async def columns(connection: Connection, view: str, privilege: str = "SELECT") -> list[str]:
    """Return the names of the columns of a view that the writer may use."""
    rows = await connection.fetch(
        """
        select a.attname
          from pg_attribute a
         where a.attrelid = $1::regclass
           and a.attnum > 0
           and has_column_privilege('mcp_writer', a.attrelid, a.attnum, $2)
         order by a.attnum
        """,
        f"mcp.{view}",
        privilege,
    )
    return [row["attname"] for row in rows]


async def everything(connection: Connection, tenant: str) -> dict[str, list[str]]:
    """Return all rows of all views as a tenant sees them."""
    found = {}
    for view in await views(connection):
        async with acting(connection, tenant, "mcp_writer"):
            rows = await connection.fetch(f"select to_jsonb(v)::text as row from mcp.{view} v order by 1")
            found[view] = [row["row"] for row in rows]
    return found
