"""Changes of every kind to every table that facts follow from, in plain SQL, at random."""

from collections.abc import Sequence
from random import Random
from typing import Any

import asyncpg

from tests.tenancy.access import Connection

TENANTS = ("tenant-a", "tenant-b")
# Of each table, what may be set to what; :name stands for an id of that kind.
UPDATES: dict[str, Sequence[str]] = {
    "public.contacts": (
        "deleted_at = case when deleted_at is null then now() end",
        "created_at = created_at - interval '1 day'",
        "tags = '[\"lead\"]'",
        "tenant_id = :tenant",
        "name = name || '!'",
        "id = gen_random_uuid()",
    ),
    "public.sessions": (
        "deleted_at = case when deleted_at is null then now() end",
        "started_at = started_at - interval '1 hour'",
        "agent_ids = jsonb_build_array(:agent::text)",
        "agent_ids = agent_ids || jsonb_build_array(upper(:agent::text), 'nobody')",
        "agent_ids = null",
        "contact_id = :contact",
        "tenant_id = :tenant",
        "summary = 'nothing'",
    ),
    "public.agent_sessions": (
        "deleted_at = case when deleted_at is null then now() end",
        "agent_id = :agent",
        "session_id = :session",
    ),
    "public.messages": (
        "deleted_at = case when deleted_at is null then now() end",
        '"timestamp" = "timestamp" + interval \'7 minutes\'',
        "from_me = from_me is not true",
        "source = case source when 'manual' then 'bot' else 'manual' end",
        "agent_id = :agent",
        "session_id = :session",
        "tenant_id = :tenant",
        "read_at = now()",
    ),
    "public.contact_pipeline_statuses": (
        "deleted_at = case when deleted_at is null then now() end",
        "entered_at = entered_at + interval '1 day'",
        "exited_at = case when exited_at is null then now() end",
        "status_id = :stage",
        "contact_id = :contact",
        "tenant_id = :tenant",
    ),
    "mcp_store.qualifications": (
        "superseded_at = now()",
        "status = case status when 'qualified' then 'unqualified' else 'qualified' end",
        "decided_at = decided_at - interval '1 day'",
    ),
    "public.agents": (
        "deleted_at = case when deleted_at is null then now() end",
        "type = case type when 'human' then 'system' else 'human' end",
        "user_id = :user",
        "tenant_id = :tenant",
        "name = name || '!'",
    ),
    "public.pipeline_statuses": (
        "name = case name when 'Perdido' then 'Ganho' else 'Perdido' end",
        "status_type = case status_type when 'closed' then 'active' else 'closed' end",
        "pipeline_id = :pipeline",
    ),
    "public.pipelines": ("tenant_id = :tenant", "name = name || '!'"),
    "mcp_store.tenant_settings": ("value = '[\"Perdido\"]'", "tenant_id = tenant_id"),
}
# What may be taken away, and what it needs gone first.
DELETES = {
    "public.messages": (),
    "public.agent_sessions": (),
    "public.contact_pipeline_statuses": (),
    "mcp_store.qualifications": (),
    "mcp_store.tenant_settings": (),
    "public.sessions": ("public.messages", "public.agent_sessions", "public.session_ratings"),
}
KINDS = {
    "contact": "public.contacts",
    "session": "public.sessions",
    "agent": "public.agents",
    "stage": "public.pipeline_statuses",
    "pipeline": "public.pipelines",
    "user": "public.users",
}
WITHOUT_ID = {"mcp_store.tenant_settings"}


async def ids_of(connection: Connection, table: str) -> list[str]:
    """Return what tells the rows of a table apart, always in the same order."""
    key = "tenant_id || ' ' || key" if table in WITHOUT_ID else "id::text"
    return [row[0] for row in await connection.fetch(f"select {key} from {table} order by 1")]


def keyed(table: str) -> str:
    """Return the condition that a row is the one of $1."""
    return "tenant_id || ' ' || key = any ($1)" if table in WITHOUT_ID else "id::text = any ($1)"


async def filled(connection: Connection, text: str, rng: Random) -> str:
    """Put an id of its kind in the place of each :name."""
    for kind, table in KINDS.items():
        if f":{kind}" in text:
            text = text.replace(f":{kind}", f"'{rng.choice(await ids_of(connection, table))}'::uuid")
    return text.replace(":tenant", f"'{rng.choice(TENANTS)}'")


async def change(connection: Connection, rng: Random) -> str:
    """Make one change to a few rows and return what it was; in a transaction, one that is refused is undone."""
    kind = rng.choice(["update", "update", "update", "delete", "copy", "move"])
    if kind == "update":
        table = rng.choice(sorted(UPDATES))
        return await updated(connection, table, rng.choice(UPDATES[table]), rng)
    if kind == "delete":
        return await deleted(connection, rng.choice(sorted(DELETES)), rng)
    if kind == "copy":
        return await copied(connection, rng.choice(sorted(set(UPDATES) - WITHOUT_ID)), rng)
    contact = rng.choice(await ids_of(connection, "public.contacts"))
    await connection.execute(
        "update public.sessions set contact_id = $1::text::uuid where id in "
        "(select id from public.sessions order by id limit 3)",
        contact,
    )
    return f"three conversations to {contact}"


async def updated(connection: Connection, table: str, what: str, rng: Random) -> str:
    """Change a column of a few rows."""
    rows = await some(connection, table, rng)
    what = await filled(connection, what, rng)
    await attempt(connection, f"update {table} set {what} where {keyed(table)}", rows)
    return f"update {table} set {what}: {rows}"


async def deleted(connection: Connection, table: str, rng: Random) -> str:
    """Take a few rows away, and what hangs on them."""
    rows = await some(connection, table, rng)
    for other in DELETES[table]:
        await connection.execute(f"delete from {other} where session_id::text = any ($1)", rows)
    await attempt(connection, f"delete from {table} where {keyed(table)}", rows)
    return f"delete from {table}: {rows}"


async def copied(connection: Connection, table: str, rng: Random) -> str:
    """Add rows that are like others but for their id; where that cannot be, nothing."""
    rows = await some(connection, table, rng)
    schema, _, name = table.partition(".")
    found: list[Any] = await connection.fetch(
        "select column_name from information_schema.columns where table_schema = $1 and table_name = $2", schema, name
    )
    columns = [f'"{row[0]}"' for row in found if row[0] != "id"]
    listed = ", ".join(columns)
    await attempt(connection, f"insert into {table} ({listed}) select {listed} from {table} where {keyed(table)}", rows)
    return f"copy of {table}: {rows}"


async def some(connection: Connection, table: str, rng: Random) -> list[str]:
    """Choose one to four rows."""
    ids = await ids_of(connection, table)
    return rng.sample(ids, min(len(ids), rng.randint(1, 4)))


async def attempt(connection: Connection, statement: str, *values: Any) -> None:
    """Execute a statement, and nothing where a constraint refuses it."""
    try:
        async with connection.transaction():
            await connection.execute(statement, *values)
    except asyncpg.IntegrityConstraintViolationError:
        pass
