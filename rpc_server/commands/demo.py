"""`demo`: fill a tenant with believable data."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from io import BytesIO
from typing import Annotated

import asyncpg
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from handlers.demo import TABLES, DemoPlan
from rpc_server.commands.cached import changing
from rpc_server.commands.demo_rows import Packet, Types, packets_ahead
from rpc_server.commands.failure import CommandFailed, sentences
from rpc_server.commands.owner import owner_connection, owner_url
from rpc_server.settings import Settings

_LARGEST = 20_000_000
_MARKS_AT_A_TIME = 2_000
_TYPES = """
select name,
       a.attname,
       format_type(a.atttypid, null) as type
  from unnest($1::text[]) name
  join pg_attribute a on a.attrelid = name::regclass
 where a.attnum > 0
"""


def demo(
    tenant: Annotated[str, typer.Option(help="The tenant to fill; it must not have any data yet.")],
    contacts: Annotated[int, typer.Option(min=1, max=_LARGEST, help="How many contacts.")] = 2_000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed and end give the same data.")] = 1,
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day (UTC) at whose start the data ends; now.")
    ] = None,
) -> None:
    """Fill a tenant with believable data: pipelines, agents, conversations, stages, decisions, ratings.

    All or nothing, by COPY; 100,000 contacts take about a minute, or two where the login is no
    superuser: then each foreign key is looked up. Uses DATABASE_OWNER_URL, else DATABASE_URL, else
    the database of a running 'serve --dev'.
    """
    with sentences():
        ends = datetime.now(UTC) if until is None else until.replace(tzinfo=UTC)
        plan = DemoPlan(tenant_id=tenant, contacts=contacts, seed=seed, until=ends.replace(microsecond=0))
        rows = asyncio.run(_fill(Settings(), plan))
        typer.echo(f"Tenant {tenant}: {contacts:,} contacts, {rows:,} rows in all.")


async def _fill(settings: Settings, plan: DemoPlan) -> int:
    async with changing(settings, plan.tenant_id), owner_connection(owner_url(settings)) as connection:
        if await connection.fetchval("select exists (select from mcp_store.migrations where source <> 'crm')"):
            raise CommandFailed("This database is another CRM's own; demo data goes into a database of ours only.")
        with progress_bar() as bar:
            task = bar.add_task(f"tenant {plan.tenant_id}", total=plan.contacts)
            return await load(connection, plan, lambda done: bar.advance(task, done))


def progress_bar() -> Progress:
    """Return a bar that counts contacts."""
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    )


async def load(connection: "asyncpg.Connection[asyncpg.Record]", plan: DemoPlan, advance: Callable[[int], None]) -> int:
    """Load *plan* in one transaction, make its facts, and return the number of rows; the tenant must be new."""
    rows = await load_rows(connection, plan, advance)
    await make_facts(connection)
    # Fresh statistics: the first answers should have good plans too.
    await connection.execute("analyze")
    return rows


async def make_facts(
    connection: "asyncpg.Connection[asyncpg.Record]", advance: Callable[[int], None] = lambda done: None
) -> None:
    """Make the facts of all that is marked, or leave it to a server that is at it already."""
    # Without statistics of what was just loaded, this takes longer than anybody waits.
    await connection.execute("analyze")
    taken = 1
    while taken:
        async with connection.transaction():
            await connection.execute("set local role mcp_owner")
            taken = await connection.fetchval("select mcp.refresh_facts($1)", _MARKS_AT_A_TIME) or 0
        advance(taken)


async def load_rows(
    connection: "asyncpg.Connection[asyncpg.Record]", plan: DemoPlan, advance: Callable[[int], None]
) -> int:
    """Do the same for one of many tenants: the caller analyzes the tables when all are there."""
    rows = 0
    async with connection.transaction():
        await _claim(connection, plan.tenant_id)
        if await _trust_keys(connection):
            # Nor do triggers mark then what is new.
            await connection.execute("insert into mcp_store.fact_marks (tenant_id) values ($1)", plan.tenant_id)
        async with aclosing(packets_ahead(plan, await column_types(connection))) as packets:
            async for packet in packets:
                await _copy(connection, packet)
                rows += packet.rows
                advance(packet.contacts)
    return rows


async def column_types(connection: "asyncpg.Connection[asyncpg.Record]") -> Types:
    """Return the types of the columns that a plan fills, by table."""
    found = await connection.fetch(_TYPES, list(TABLES))
    types = {(row["name"], row["attname"]): row["type"] for row in found}
    return {table: [types[table, column] for column in columns] for table, columns in TABLES.items()}


async def _copy(connection: "asyncpg.Connection[asyncpg.Record]", packet: Packet) -> None:
    for table, data in packet.data:
        schema, _, name = table.partition(".")
        await connection.copy_to_table(
            name, schema_name=schema, columns=TABLES[table], format="binary", source=BytesIO(data)
        )


async def _trust_keys(connection: "asyncpg.Connection[asyncpg.Record]") -> bool:
    """Spare this transaction the look-up of foreign keys, half of PostgreSQL's work; False where the owner may not.

    All keys of a plan point at rows of the same plan.
    """
    with suppress(asyncpg.InsufficientPrivilegeError):
        async with connection.transaction():
            await connection.execute("set local session_replication_role = replica")
            return True
    return False


async def _claim(connection: "asyncpg.Connection[asyncpg.Record]", tenant: str) -> None:
    """Let nobody else load *tenant* during this transaction; raises CommandFailed where somebody did before."""
    await connection.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", f"demo {tenant}")
    if await connection.fetchval("select exists (select from public.projects where tenant_id = $1)", tenant):
        raise CommandFailed(f"The tenant {tenant!r} has data already; choose another name.")
