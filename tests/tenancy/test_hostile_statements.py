"""Statements that no tool sends: what they do ends with their transaction, and concerns no other tenant."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from rpc_server.backends.postgres import Postgres
from rpc_server.contract.query import Query
from tests.conftest import Crm
from tests.tenancy.access import WITHOUT_ROWS, Connection, acting, columns, views
from tests.tenancy.conftest import A, B
from tests.tenancy.rows import Marked

REFUSED = (
    asyncpg.InsufficientPrivilegeError,
    asyncpg.WithCheckOptionViolationError,
    asyncpg.NotNullViolationError,
    asyncpg.ObjectNotInPrerequisiteStateError,  # a view of a kind that nobody can write through
    asyncpg.WrongObjectTypeError,
)

STATE = """
select session_user = current_user as is_itself,
       coalesce(current_setting('mcp.tenant_id', true), '') as tenant,
       current_setting('statement_timeout') as statement_timeout,
       current_setting('transaction_read_only') as read_only,
       current_setting('default_transaction_read_only') as reads_only,
       current_setting('search_path') as search_path,
       current_setting('row_security') as row_security
"""

TAMPERING = (
    "set role mcp_writer",
    "set local role mcp_writer",
    "set session authorization default",
    "reset role",
    "reset all",
    "set mcp.tenant_id = 'tenant-b'",
    "set local mcp.tenant_id = 'tenant-b'",
    "select set_config('mcp.tenant_id', 'tenant-b', false)",
    "set statement_timeout = 0",
    "set session characteristics as transaction read write",
    "set transaction read write",
    "set search_path = mcp, pg_catalog",
    "savepoint here",
    "commit",
    "rollback",
    "rollback and chain",
)


async def state(postgres: Postgres) -> dict[str, Any]:
    """Return what is set on a connection that the pool gives out, where its next transaction would be opened."""
    connection = await postgres.acquire(2)
    await postgres.open(connection, "select")
    row = await connection.fetchrow(STATE)
    assert row is not None and not connection.is_in_transaction()
    await postgres.give_back(connection, "rollback")
    return dict(row)


async def read(postgres: Postgres, *statements: str, fails: bool = False) -> list[Any]:
    """Return the rows of the last of some statements of A in one snapshot, which may end by an error of ours."""
    async with postgres.snapshot(A.tenant, lambda: None) as snapshot:
        for statement in statements:
            rows = await snapshot.all(Query("hostile", statement, ()))
        if fails:
            raise InterruptedError
    return [tuple(row.values()) for row in rows]


async def test_a_snapshot_is_the_readers_and_its_tenants(both: Crm) -> None:
    inside = await read(
        both.postgres,
        """
        select current_user::text,
               current_setting('mcp.tenant_id'),
               current_setting('transaction_read_only'),
               current_setting('transaction_isolation'),
               current_setting('statement_timeout')
        """,
    )

    assert inside == [("mcp_reader", A.tenant, "on", "repeatable read", "1min")]


@pytest.mark.parametrize("fails", [False, True])
async def test_nothing_that_a_statement_sets_outlives_its_snapshot(both: Crm, fails: bool) -> None:
    async with Postgres(both.server_url, size=1, acquire_seconds=2) as postgres:
        untouched = await state(postgres)
        for statement in TAMPERING:
            with suppress(InterruptedError):
                await read(postgres, statement, fails=fails)
            assert await state(postgres) == untouched, statement
            assert await read(postgres, "select name from mcp.pipelines") == [(f"Vendas {A.mark}",)], statement


async def test_who_gets_out_of_the_role_can_read_nothing_more(both: Crm) -> None:
    for statement in ("commit", "rollback", "reset role", "commit and chain"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await read(both.postgres, statement, "select id from mcp.contacts")


async def test_a_snapshot_cannot_write(both: Crm) -> None:
    for statement in (
        "insert into mcp.qualifications (contact_id, status) values (gen_random_uuid(), 'qualified')",
        "update mcp.qualifications set superseded_at = now()",
        "delete from mcp.qualifications",
        "update mcp.contacts set name = 'x'",
        "create temp table kept as select * from mcp.contacts",
        "select * from mcp.qualifications for update",
        "copy (select 1) to program 'true'",
    ):
        for before in ("select 1", "set local role mcp_writer"):
            with pytest.raises((asyncpg.ReadOnlySQLTransactionError, *REFUSED)):
                await read(both.postgres, before, statement)


async def test_a_snapshot_tells_no_listener_anything(both: Crm) -> None:
    heard: list[object] = []
    await both.owner.add_listener("news", lambda *news: heard.append(news[-1]))
    await read(both.postgres, "select pg_notify('news', name) from mcp.contacts")
    await both.owner.execute("notify news, 'the end'")
    await both.owner.reset()

    assert heard == ["the end"]


async def test_the_reader_has_no_right_to_write_whatever_the_transaction(both: Crm, login: Connection) -> None:
    for view in await views(both.owner):
        column = (await columns(both.owner, view))[0]
        for statement in (
            f"insert into mcp.{view} default values",
            f"update mcp.{view} set {column} = {column}",
            f"delete from mcp.{view}",
            f"truncate mcp.{view}",
        ):
            with pytest.raises(REFUSED):
                async with acting(login, A.tenant):
                    await login.execute(statement)


# --- the writer ---------------------------------------------------------------------------------

WRITABLE = {
    "qualifications": ("contact_id, status", "'{contact}', 'qualified'", "decision"),
    "assignments": ("contact_id, agent_id", "'{contact}', '{agent}'", "assignment"),
}


def insertion(view: str, contact: UUID | None = None, **more: str) -> str:
    """Return a statement that inserts a row, for an unknown contact unless told; *more* columns are text."""
    names, values, _ = WRITABLE[view]
    row = values.format(contact=contact or uuid4(), agent=A.id("agent"))
    columns, texts = ("".join(f", {part}" for part in parts) for parts in (more, (f"'{v}'" for v in more.values())))
    return f"insert into mcp.{view} ({names}{columns}) values ({row}{texts})"


@pytest.fixture(params=WRITABLE)
def view(request: pytest.FixtureRequest) -> str:
    """A view that can be written."""
    return str(request.param)


async def test_the_writer_writes_for_its_own_tenant(both: Crm, login: Connection, view: str) -> None:
    async with acting(login, A.tenant, "mcp_writer"):
        assert A.tenant == await login.fetchval(f"{insertion(view)} returning tenant_id")
        assert f"UPDATE {A.contacts + 1}" == await login.execute(f"update mcp.{view} set superseded_at = now()")


async def test_the_writer_writes_for_nobody_where_no_tenant_is_set(both: Crm, login: Connection, view: str) -> None:
    for tenant in (None, ""):
        with pytest.raises(REFUSED):
            async with acting(login, tenant, "mcp_writer"):
                await login.execute(insertion(view))
        async with acting(login, tenant, "mcp_writer"):
            assert await login.execute(f"update mcp.{view} set superseded_at = now()") == "UPDATE 0"


async def test_the_writer_cannot_name_a_tenant_nor_a_key(both: Crm, login: Connection, view: str) -> None:
    """The upserts would take over a row of B: a check option judges only what a row is in the end."""
    theirs = str(B.id(WRITABLE[view][2]))
    current = "on conflict (contact_id, tenant_id) where superseded_at is null"
    for statement in (
        insertion(view, tenant_id=B.tenant),
        insertion(view, tenant_id=""),
        insertion(view, id=theirs),
        f"{insertion(view, id=theirs)} on conflict (id) do update set tenant_id = excluded.tenant_id returning *",
        f"{insertion(view, B.id('contact'), tenant_id=B.tenant)} {current} do nothing",
        f"{insertion(view, B.id('contact'), tenant_id=B.tenant)} {current} do update set tenant_id = '{A.tenant}'",
        f"update mcp.{view} set tenant_id = '{B.tenant}'",
        f"update mcp.{view} set id = gen_random_uuid()",
        f"update mcp.{view} set contact_id = gen_random_uuid()",
        f"delete from mcp.{view}",
        f"truncate mcp.{view}",
    ):
        with pytest.raises(REFUSED):
            async with acting(login, A.tenant, "mcp_writer"):
                await login.execute(statement)


async def test_a_foreign_contact_is_to_the_writer_like_one_that_nobody_has(
    both: Crm, login: Connection, view: str
) -> None:
    for contact in (B.id("contact"), uuid4()):
        async with acting(login, A.tenant, "mcp_writer"):
            assert await login.execute(f"{insertion(view, contact)} on conflict do nothing") == "INSERT 0 1"
        async with acting(login, A.tenant, "mcp_writer"):
            assert (
                await login.execute(f"update mcp.{view} set superseded_at = now() where contact_id = '{contact}'")
                == "UPDATE 0"
            )


# Ventros keeps one value a contact and key, whoever's: who sets one must have found the contact to be its own.
IN_THE_WAY = {"custom_fields"}


async def test_no_row_of_another_tenant_is_named_by_an_insert_or_in_its_way(both: Crm, login: Connection) -> None:
    """Each row of B is inserted again by A: with all its columns, and with those that a writer may set."""
    refused, ignored = set(), set()
    for view in await views(both.owner, privilege="INSERT"):
        for names in (await columns(both.owner, view), await columns(both.owner, view, "INSERT")):
            async with acting(login, B.tenant, "mcp_writer"):
                row = await login.fetchrow(f"select {', '.join(names)} from mcp.{view} limit 1")
            assert row is not None
            places = ", ".join(f"${place}" for place in range(1, len(names) + 1))
            statement = f"insert into mcp.{view} ({', '.join(names)}) values ({places}) on conflict do nothing"
            try:
                async with acting(login, A.tenant, "mcp_writer"):
                    if await login.execute(statement, *row.values()) == "INSERT 0 0":
                        ignored.add(view)
            except asyncpg.InsufficientPrivilegeError:
                refused.add(view)
            except asyncpg.WithCheckOptionViolationError:
                pass  # it came as far as the second fence, so "refused" below lacks it, unless all columns were tried

    assert (ignored, refused) == (IN_THE_WAY, set(await views(both.owner, privilege="INSERT")))


# --- what errors tell ---------------------------------------------------------------------------


def tricks(view: str, column: str, marked: Marked) -> Sequence[str]:
    """Return statements that fail if they ever look at a row that bears the mark."""
    found = f"v.{column}::text ~ '{marked.pattern}'"
    return (
        f"select from mcp.{view} v where 1 / (case when {found} then 0 else 1 end) = 1",
        f"select from mcp.{view} v where (case when {found} then v.{column}::text else '1' end)::int = 1",
        f"select count(*) from mcp.{view} v group by 1 / (case when {found} then 0 else 1 end)",
        f"select from (values (1)) one (x) left join mcp.{view} v on 1 / (case when {found} then 0 else 1 end) = one.x",
        f"select from mcp.{view} v order by 1 / (case when {found} then 0 else 1 end) limit 1",
        f"select (select 1 / (case when {found} then 0 else 1 end) from mcp.{view} v limit 1)",
    )


@pytest.mark.parametrize("plans", ["on", "off"])
async def test_no_error_tells_of_a_foreign_row(both: Crm, login: Connection, plans: str) -> None:
    for kind in ("indexscan", "bitmapscan", "hashjoin"):
        await login.execute(f"set enable_{kind} = {plans}")
    works = set()
    for view in await views(both.owner):
        for column in await columns(both.owner, view):
            async with acting(login, A.tenant, "mcp_writer"):
                for trick in tricks(view, column, B):
                    await login.fetch(trick)
            try:
                async with acting(login, A.tenant, "mcp_writer"):
                    await login.fetch(tricks(view, column, A)[0])
            except asyncpg.DivisionByZeroError:
                works.add(view)

    there = set(await views(both.owner))
    assert there - works == WITHOUT_ROWS & there


async def test_no_error_of_an_update_tells_of_a_foreign_row(both: Crm, login: Connection, view: str) -> None:
    for column in await columns(both.owner, view):
        zero = f"case when v.{column}::text like '%{B.mark}%' then 0 else 1 end"
        for statement in (
            f"update mcp.{view} v set superseded_at = now() where 1 / ({zero}) = 1",
            f"update mcp.{view} v set superseded_at = now() + interval '1 day' / ({zero})",
        ):
            async with acting(login, A.tenant, "mcp_writer"):
                assert f"UPDATE {A.contacts}" == await login.execute(statement)
