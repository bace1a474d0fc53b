"""`audit`: read a tenant's audit trail, and check that nobody changed it."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from typing import Annotated

import asyncpg
import typer

from rpc_server.commands.failure import CommandFailed, sentences
from rpc_server.commands.owner import owner_connection, owner_url
from rpc_server.settings import Settings

commands = typer.Typer(no_args_is_help=True, help="Read a tenant's audit trail, and check that nobody changed it.")

Tenant = Annotated[str, typer.Option(help="The tenant's id.")]

_ENTRIES = """
select number, id, entry::text as entry, previous_hash, hash
  from mcp_store.audit_log
 where tenant_id = $1
 order by number
"""
_LATEST = """
select number, entry::text as entry
  from mcp_store.audit_log
 where tenant_id = $1
 order by number desc
 limit $2
"""


@commands.command()
def verify(
    tenant: Tenant,
    head: Annotated[
        str | None, typer.Option(help="A hash printed earlier: it must be that of an entry, or the tail was cut.")
    ] = None,
) -> None:
    """Check that each entry is chained to the one before it and that none was changed, removed or added.

    Prints the last entry's number and hash; keep them elsewhere, and pass the hash as --head next
    time. Exit status 1 where the chain breaks. Uses DATABASE_OWNER_URL, else DATABASE_URL, else the
    database of a running 'serve --dev'.
    """
    with sentences():
        number, last, kept = asyncio.run(_verify(tenant, head))
        if head is not None and not kept:
            raise CommandFailed(f"The chain of {tenant} does not hold: no entry has the hash {head}; its tail was cut.")
        typer.echo(f"The chain of {tenant} holds: {number} entries, the last with the hash {last or '–'}.")


@commands.command()
def show(
    tenant: Tenant, last: Annotated[int, typer.Option(min=1, max=10_000, help="How many of the latest entries.")] = 20
) -> None:
    """Show the latest entries, the newest last, one JSON object a line.

    Uses DATABASE_OWNER_URL, else DATABASE_URL, else the database of a running 'serve --dev'.
    """
    with sentences():
        for line in asyncio.run(_latest(tenant, last)):
            typer.echo(line)


async def _verify(tenant: str, head: str | None) -> tuple[int, str, bool]:
    """Return the last entry's number and hash, and whether *head* was met; raises CommandFailed at the first break."""
    number, previous, kept = 0, b"", False
    async with owner_connection(owner_url(Settings())) as connection, connection.transaction(readonly=True):
        async for row in _entries(connection, tenant):
            number += 1
            if row["number"] != number:
                raise CommandFailed(f"The chain of {tenant} breaks: entry {number} is missing.")
            if row["previous_hash"] != previous:
                raise CommandFailed(f"The chain of {tenant} breaks: entry {number} does not follow entry {number - 1}.")
            if row["hash"] != chained(previous, tenant, row):
                raise CommandFailed(f"The chain of {tenant} breaks: entry {number} was changed.")
            previous = row["hash"]
            kept = kept or previous.hex() == head
    return number, previous.hex(), kept


async def _entries(connection: "asyncpg.Connection[asyncpg.Record]", tenant: str) -> AsyncIterator[asyncpg.Record]:
    async for row in connection.cursor(_ENTRIES, tenant, prefetch=1000):
        yield row


def chained(previous: bytes, tenant: str, row: asyncpg.Record) -> bytes:
    """Return the hash that an entry must have after the one with the hash *previous*."""
    text = "\n".join((tenant, str(row["number"]), str(row["id"]), row["entry"]))
    return hashlib.sha256(previous + text.encode()).digest()


async def _latest(tenant: str, last: int) -> list[str]:
    async with owner_connection(owner_url(Settings())) as connection:
        rows = await connection.fetch(_LATEST, tenant, last)
    return [
        json.dumps({"number": row["number"], **json.loads(row["entry"])}, ensure_ascii=False) for row in reversed(rows)
    ]
