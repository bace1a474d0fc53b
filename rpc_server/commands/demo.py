"""`demo`: fill a tenant with believable data."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
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
# Facts are found by their indexes, also while statistics say that there are next to none.
_BEGIN_FACTS = """
select set_config('mcp.tenant_id', $1, true),
       set_config('enable_seqscan', 'off', true),
       set_config('jit', 'off', true)
"""
_ANALYZE_ROUGHLY = f"set local default_statistics_target = 20; analyze {', '.join(TABLES)}"
_MAKE_FACTS = "select mcp.make_facts($1, $2), mcp.make_leads($1, $2)"
# Those of this transaction.
_FORGET_MARKS = "delete from mcp_store.fact_marks where tenant_id = $1 and xmin = pg_current_xact_id()::xid"
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

    All or nothing, by COPY; 100,000 contacts take about two minutes on two processors, and longer
    where the login is no superuser: then each foreign key is looked up. Uses DATABASE_OWNER_URL,
    else DATABASE_URL, else the database of a running 'serve --dev'.
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
    """Load *plan* in one transaction, its facts as well, and return the number of rows; the tenant must be new."""
    rows = await load_rows(connection, plan, advance)
    # Fresh statistics: the first answers should have good plans.
    await connection.execute("analyze")
    return rows


async def load_rows(
    connection: "asyncpg.Connection[asyncpg.Record]", plan: DemoPlan, advance: Callable[[int], None]
) -> int:
    """Do the same for one of many tenants: the caller analyzes the tables when all are there."""
    rows, is_analyzed = 0, False
    async with connection.transaction():
        await _claim(connection, plan.tenant_id)
        await _trust_keys(connection)
        await connection.execute(_BEGIN_FACTS, plan.tenant_id)
        async with aclosing(packets_ahead(plan, await column_types(connection))) as packets:
            async for packet in packets:
                await _copy(connection, packet)
                if packet.contacts and not is_analyzed:
                    # Where statistics do not know the tenant, facts take longer than anybody waits; rough ones will do.
                    await connection.execute(_ANALYZE_ROUGHLY)
                    is_analyzed = True
                # Nobody sees these contacts yet, so this needs neither marks nor its turn among those who refresh
                # facts; and the next rows are made meanwhile, so that it takes hardly any time.
                await _as_owner(connection, _MAKE_FACTS, plan.tenant_id, packet.contacts)
                rows += packet.rows
                advance(len(packet.contacts))
        # Where triggers could not be kept silent, they have marked what is made by now.
        await _as_owner(connection, _FORGET_MARKS, plan.tenant_id)
    return rows


async def _as_owner(connection: "asyncpg.Connection[asyncpg.Record]", statement: str, *values: object) -> None:
    """Run a statement as who owns the facts."""
    await connection.execute("set local role mcp_owner")
    await connection.execute(statement, *values)
    await connection.execute("set local role none")


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


async def _trust_keys(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Spare this transaction the look-up of foreign keys, half of PostgreSQL's work, where the owner may do so.

    All keys of a plan point at rows of the same plan.
    """
    await connection.execute("savepoint before_trust")
    try:
        await connection.execute("set local session_replication_role = replica")
    except asyncpg.InsufficientPrivilegeError:
        await connection.execute("rollback to savepoint before_trust")
    # asyncpg's own would stay open after a failure, and what follows would be of another transaction than the whole.
    await connection.execute("release savepoint before_trust")


async def _claim(connection: "asyncpg.Connection[asyncpg.Record]", tenant: str) -> None:
    """Let nobody else load *tenant* during this transaction; raises CommandFailed where somebody did before."""
    await connection.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", f"demo {tenant}")
    if await connection.fetchval("select exists (select from public.projects where tenant_id = $1)", tenant):
        raise CommandFailed(f"The tenant {tenant!r} has data already; choose another name.")
