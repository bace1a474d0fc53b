"""Statements that no tool sends: what they may do ends with their transaction, and none of it concerns another tenant."""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from rpc_server.backends.postgres import Postgres
from rpc_server.contract.query import Query
from tests.conftest import Crm
from tests.tenancy.access import acting, columns, views
from tests.tenancy.conftest import A, B

Connection = "asyncpg.Connection[asyncpg.Record]"

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
    """Return what is set on a connection that the pool gives out."""
    connection = await postgres.acquire(2)
    row = await connection.fetchrow(STATE)
    assert row is not None and not connection.is_in_transaction()
    await postgres.give_back(connection, "rollback")
    return dict(row)


@pytest.mark.parametrize("fails", [False, True])
async def test_nothing_that_a_statement_sets_outlives_its_snapshot(both: Crm, fails: bool) -> None:
    names = Query("names", "select name from mcp.pipelines", ())
    async with Postgres(both.server_url, size=1, acquire_seconds=2) as postgres:
        untouched = await state(postgres)
        for statement in TAMPERING:
            try:
                async with postgres.snapshot(A.tenant, lambda: None) as snapshot:
                    await snapshot.all(Query("tampering", statement, ()))
                    if fails:
                        raise InterruptedError
            except InterruptedError:
                pass
            assert untouched == await state(postgres), statement
            async with postgres.snapshot(A.tenant, lambda: None) as snapshot:
                assert [f"Vendas {A.mark}"] == [row["name"] for row in await snapshot.all(names)], statement


@pytest.mark.parametrize("statement", ["commit", "rollback", "reset role", "commit and chain"])
async def test_who_gets_out_of_the_role_can_read_nothing_more(both: Crm, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with both.postgres.snapshot(A.tenant, lambda: None) as snapshot:
            await snapshot.all(Query("out", statement, ()))
            await snapshot.all(Query("read", "select id from mcp.contacts", ()))


@pytest.mark.parametrize(
    "statement",
    [
        "insert into mcp.qualifications (contact_id, status) values (gen_random_uuid(), 'qualified')",
        "update mcp.qualifications set superseded_at = now()",
        "delete from mcp.qualifications",
        "update mcp.contacts set name = 'x'",
        "create temp table kept as select * from mcp.contacts",
        "select pg_notify('contacts', name) from mcp.contacts",
        "select * from mcp.qualifications for update",
        "copy (select 1) to program 'true'",
    ],
)
async def test_a_snapshot_cannot_write(both: Crm, statement: str) -> None:
    for before in ("select 1", "set local role mcp_writer"):
        with pytest.raises((asyncpg.ReadOnlySQLTransactionError, asyncpg.InsufficientPrivilegeError, asyncpg.ObjectNotInPrerequisiteStateError)):
            async with both.postgres.snapshot(A.tenant, lambda: None) as snapshot:
                await snapshot.all(Query("before", before, ()))
                await snapshot.all(Query("write", statement, ()))


async def test_the_reader_has_no_right_to_write_whatever_the_transaction(both: Crm, login: Connection) -> None:
    for view in await views(both.owner):
        column = (await columns(both.owner, view))[0]
        for statement in (
            f"insert into mcp.{view} default values",
            f"update mcp.{view} set {column} = {column}",
            f"delete from mcp.{view}",
            f"truncate mcp.{view}",
        ):
            with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.WrongObjectTypeError)):
                async with acting(login, A.tenant):
                    await login.execute(statement)


# --- the writer ---------------------------------------------------------------------------------

REFUSED = (
    asyncpg.InsufficientPrivilegeError,
    asyncpg.WithCheckOptionViolationError,
    asyncpg.NotNullViolationError,
)
WRITABLE = {"qualifications": ("contact_id, status", "'{contact}', 'qualified'"), "assignments": ("contact_id, agent_id", "'{contact}', '{agent}'")}


def insertion(view: str, *, of: Any = A, more: str = "", values: str = "") -> str:
    names, row = WRITABLE[view]
    filled = row.format(contact=uuid4(), agent=of.id("agent"))
    return f"insert into mcp.{view} ({names}{more}) values ({filled}{values})"


@pytest.mark.parametrize("view", WRITABLE)
async def test_the_writer_writes_for_its_own_tenant(both: Crm, login: Connection, view: str) -> None:
    async with acting(login, A.tenant, "mcp_writer"):
        assert A.tenant == await login.fetchval(f"{insertion(view)} returning tenant_id")
        assert f"UPDATE {A.contacts + 1}" == await login.execute(f"update mcp.{view} set superseded_at = now()")


@pytest.mark.parametrize("tenant", [None, ""])
@pytest.mark.parametrize("view", WRITABLE)
async def test_the_writer_writes_for_nobody_where_no_tenant_is_set(
    both: Crm, login: Connection, view: str, tenant: str | None
) -> None:
    with pytest.raises(REFUSED):
        async with acting(login, tenant, "mcp_writer"):
            await login.execute(insertion(view))
    async with acting(login, tenant, "mcp_writer"):
        assert "UPDATE 0" == await login.execute(f"update mcp.{view} set superseded_at = now()")


@pytest.mark.parametrize("view", WRITABLE)
async def test_the_writer_cannot_name_a_tenant_or_take_a_key(both: Crm, login: Connection, view: str) -> None:
    """The third and fourth would take over a row of B: a check option judges only what a row is in the end."""
    key = (A if view == "" else B).id("decision" if view == "qualifications" else "assignment")
    contact = B.id("contact")
    take = "do update set tenant_id = excluded.tenant_id returning *"
    names, row = WRITABLE[view]
    theirs = row.format(contact=contact, agent=A.id("agent"))
    for statement in (
        insertion(view, more=", tenant_id", values=f", '{B.tenant}'"),
        insertion(view, more=", tenant_id", values=", ''"),
        f"{insertion(view, more=', id', values=f', {chr(39)}{key}{chr(39)}')} on conflict (id) {take}",
        f"insert into mcp.{view} ({names}, tenant_id) values ({theirs}, '{B.tenant}') "
        f"on conflict (contact_id, tenant_id) where superseded_at is null do update set tenant_id = '{A.tenant}' returning *",
        f"update mcp.{view} set tenant_id = '{B.tenant}'",
        f"update mcp.{view} set id = gen_random_uuid()",
        f"delete from mcp.{view}",
        f"truncate mcp.{view}",
    ):
        with pytest.raises((*REFUSED, asyncpg.WrongObjectTypeError)):
            async with acting(login, A.tenant, "mcp_writer"):
                await login.execute(statement)


@pytest.mark.parametrize("view", WRITABLE)
async def test_a_foreign_contact_is_to_the_writer_like_one_that_nobody_has(
    both: Crm, login: Connection, view: str
) -> None:
    names, row = WRITABLE[view]
    for contact in (B.id("contact"), uuid4()):
        values = row.format(contact=contact, agent=B.id("agent"))
        async with acting(login, A.tenant, "mcp_writer"):
            assert "INSERT 0 1" == await login.execute(
                f"insert into mcp.{view} ({names}) values ({values}) "
                "on conflict (contact_id, tenant_id) where superseded_at is null do nothing"
            )
        async with acting(login, A.tenant, "mcp_writer"):
            assert "UPDATE 0" == await login.execute(
                f"update mcp.{view} set superseded_at = now() where contact_id = '{contact}'"
            )


# --- what errors tell ---------------------------------------------------------------------------


def tricks(view: str, column: str, mark: str) -> Sequence[str]:
    """Return statements that fail if they ever look at a row that bears the mark."""
    found = f"v.{column}::text like '%{mark}%'"
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
    await login.execute(f"set enable_indexscan = {plans}; set enable_bitmapscan = {plans}; set enable_hashjoin = {plans}")
    works = set()
    for view in await views(both.owner):
        for column in await columns(both.owner, view):
            async with acting(login, A.tenant):
                for trick in tricks(view, column, B.mark):
                    await login.fetch(trick)
            try:
                async with acting(login, A.tenant):
                    await login.fetch(tricks(view, column, A.mark)[0])
            except asyncpg.DivisionByZeroError:
                works.add(view)

    assert set(await views(both.owner)) - works == {"sources"}


@pytest.mark.parametrize("view", WRITABLE)
async def test_no_error_of_an_update_tells_of_a_foreign_row(both: Crm, login: Connection, view: str) -> None:
    for column in await columns(both.owner, view):
        zero = f"case when v.{column}::text like '%{B.mark}%' then 0 else 1 end"
        for statement in (
            f"update mcp.{view} v set superseded_at = now() where 1 / ({zero}) = 1",
            f"update mcp.{view} v set superseded_at = now() + interval '1 day' / ({zero})",
        ):
            async with acting(login, A.tenant, "mcp_writer"):
                assert f"UPDATE {A.contacts}" == await login.execute(statement)
