"""Each condition of each view bears weight: without it, another tenant shows.

The views are found in the catalogue and their conditions in the text that PostgreSQL gives of them, so a
view or a condition that is new is tried too, and fails where no row here would tell that it is gone.
"""

import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from tests.conftest import Crm
from tests.database import settle
from tests.tenancy.access import WITHOUT_ROWS, Connection, acting, columns, views
from tests.tenancy.conftest import A, B
from tests.tenancy.entanglement import entangle, lure
from tests.tenancy.rows import fill

SETTING = r"NULLIF\(current_setting\('mcp\.tenant_id'::text, true\), ''::text\)"
NAME = r"(?:(?:\w+\.)?tenant_id|\((?:\w+\.)?tenant_id\)::text)"
CONDITION = re.compile(rf"\({NAME} = (?:{SETTING}|\w+(?:\.\w+)?)\)")


async def seen(connection: Connection, view: str) -> Counter[str]:
    """Return the rows of a view as A sees them, and as a tenant that has none."""
    rows: Counter[str] = Counter()
    for tenant in (A.tenant, "nobody"):
        async with acting(connection, tenant, "mcp_writer"):
            found = await connection.fetch(f"select to_jsonb(v)::text from mcp.{view} v")
            rows.update(f"{tenant}: {row[0]}" for row in found)
    return rows


async def leaks(connection: Connection, view: str, alone: Counter[str]) -> int:
    """Count the rows of a view that differ from those seen when A was *alone* in the database."""
    try:
        now = await seen(connection, view)
    except asyncpg.CardinalityViolationError:
        return 1  # "more than one row": the other one was foreign
    return ((now - alone) + (alone - now)).total()


@asynccontextmanager
async def without(connection: Connection, view: str, condition: re.Match[str]) -> AsyncIterator[None]:
    """Take one condition out of a view for a while."""
    text = condition.string[: condition.start()] + "(true)" + condition.string[condition.end() :]
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute(f"create or replace view mcp.{view} with (security_barrier) as {text}")
    yield
    await transaction.rollback()


async def conditions(connection: Connection, view: str) -> list[re.Match[str]]:
    text = await connection.fetchval("select pg_get_viewdef($1::regclass)", f"mcp.{view}")
    return list(CONDITION.finditer(text))


async def test_a_view_without_one_of_its_conditions_leaks(crm: Crm) -> None:
    owner = crm.owner
    names = await views(owner)
    await fill(owner, A, crm.now)
    await lure(owner, A, B, crm.now)
    # Else there would be no facts of either.
    await settle(owner)
    alone = {view: await seen(owner, view) for view in names}
    await fill(owner, B, crm.now)
    await entangle(owner, A, B, crm.now)
    await settle(owner)

    empty = [view for view in names if not alone[view]]
    leaky = [view for view in names if await leaks(owner, view, alone[view])]
    unnoticed = []
    for view in names:
        found = await conditions(owner, view)
        assert found, f"{view} has no condition on the tenant that this test can read"
        for condition in found:
            async with without(owner, view, condition):
                if not await leaks(owner, view, alone[view]):
                    unnoticed.append((view, condition.start(), condition[0]))

    assert (empty, leaky, unnoticed) == ([], [], [])


async def test_a_view_that_is_no_barrier_shows_foreign_rows_to_a_clever_function(both: Crm) -> None:
    """The function costs next to nothing, so that the planner would rather call it before it compares tenants."""
    owner = both.owner
    await settle(owner)
    await owner.execute(
        f"""
        create function public.is_mine(value text) returns boolean language plpgsql immutable cost 0.0000001 as $$
        begin
            if value ~ '{B.pattern}' then
                raise exception 'a foreign row was seen';
            end if;
            return true;
        end $$
        """
    )
    # Through an index on the tenant, foreign rows are not even fetched.
    await owner.execute("set enable_indexscan = off; set enable_bitmapscan = off; set enable_indexonlyscan = off")

    async def betrays(view: str) -> bool:
        for column in await columns(owner, view):
            try:
                async with acting(owner, A.tenant, "mcp_writer"):
                    await owner.fetch(f"select from mcp.{view} v where public.is_mine(v.{column}::text)")
            except asyncpg.RaiseError:
                return True
        return False

    names = [view for view in await views(owner) if view not in WITHOUT_ROWS]
    before = [view for view in names if await betrays(view)]
    for view in names:
        await owner.execute(f"alter view mcp.{view} reset (security_barrier)")
    after = [view for view in names if await betrays(view)]

    assert ([], names) == (before, after)


# What makes a copy of one's own row a row of B, or at least another one.
THEIRS = {
    "tenant_id": f"'{B.tenant}'",
    "session_id": f"'{B.id('session')}'::uuid",
    "id": "gen_random_uuid()",
    "event_id": "gen_random_uuid()",
    "field_key": "'another'",
    "key": "'another'",
}


async def test_a_writable_view_without_its_check_option_takes_rows_for_others(both: Crm) -> None:
    """Columns that nobody may set are the first fence, the check option is the second; here only that is left."""
    owner = both.owner
    inserted, updated = [await views(owner, privilege=privilege) for privilege in ("INSERT", "UPDATE")]
    await owner.execute(
        """
        grant insert, update on all tables in schema mcp to mcp_writer;
        grant insert, update on all tables in schema public, mcp_store to mcp_owner;
        """
    )

    async def takes(view: str, attempt: str) -> bool:
        try:
            async with acting(owner, A.tenant, "mcp_writer"):
                return not (await owner.execute(attempt)).endswith(" 0")
        except asyncpg.WithCheckOptionViolationError:
            return False

    async def copying(view: str) -> str:
        names = await columns(owner, view)
        values = [THEIRS.get(name, name) for name in names]
        return f"insert into mcp.{view} ({', '.join(names)}) select {', '.join(values)} from mcp.{view} limit 1"

    async def moving(view: str) -> str | None:
        names = await columns(owner, view)
        column = next((name for name in ("tenant_id", "session_id") if name in names), None)
        return column and f"update mcp.{view} set {column} = {THEIRS[column]}"

    attempts = [
        *[(view, await copying(view)) for view in inserted],
        *[(view, attempt) for view in updated if (attempt := await moving(view))],
    ]
    assert attempts
    before = [attempt for attempt in attempts if await takes(*attempt)]
    for view in {*inserted, *updated}:
        await owner.execute(f"alter view mcp.{view} reset (check_option)")
    after = [attempt for attempt in attempts if await takes(*attempt)]

    assert (before, after) == ([], attempts)
