"""`migrate --adopt ventros`: it leaves the CRM as it is, sees the rows or stops, and can be taken away again."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from rpc_server.backends.embedded_postgres import EmbeddedPostgres
from rpc_server.backends.migrations import migrate
from rpc_server.commands.failure import CommandFailed
from rpc_server.commands.standing import warnings_about_login
from tests.adopt.database import RAW, SOURCE, VENTROS, execute
from tests.adopt.page import commands
from tests.adopt.things import rights, rows, things
from tests.commands.conftest import Database, made_from, value
from tests.commands.program import command
from tests.commands.test_migrate import as_admin, postgres
from tests.conftest import Crm
from tests.database import Cluster, template_of
from tests.tenancy.access import Connection

__all__ = ["postgres"]
NAMES = [path.stem for path in sorted(SOURCE.glob("*.sql"))]
TENANT = "user-1d98bbd3"


@pytest.fixture
def database(ventros: Cluster) -> Iterator[Database]:
    """A Ventros database that nobody has adopted."""
    with made_from(template_of(ventros, RAW), ventros) as made:
        yield made


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[Connection]:
    """A superuser's connection to it."""
    connection = await asyncpg.connect(database.owner_url)
    yield connection
    await connection.close()


async def test_nothing_of_the_crm_is_other_than_before_but_the_owners_grants(owner: Connection) -> None:
    before, granted, contents = await things(owner), await rights(owner), await rows(owner)
    assert len(before) > 300

    await migrate(owner, SOURCE)

    assert await things(owner) == before
    assert await rows(owner) == contents
    more = await rights(owner)
    assert granted <= more
    assert {right.split()[1] for right in more - granted} == {"mcp_owner"}


async def test_what_the_page_says_takes_all_of_it_away_again(owner: Connection) -> None:
    before = await things(owner), await rights(owner)
    await migrate(owner, SOURCE)
    await owner.execute(commands("leave"))

    assert (await things(owner), await rights(owner)) == before
    assert await owner.fetchval("select to_regnamespace('mcp') is null and to_regnamespace('mcp_store') is null")


async def test_the_views_can_be_made_anew_around_a_change_of_the_crms(owner: Connection) -> None:
    await owner.execute("drop table contact_custom_fields")
    await migrate(owner, SOURCE)
    await owner.execute("insert into mcp_store.tenant_settings values ('t', 'language', '\"en\"')")
    with pytest.raises(asyncpg.FeatureNotSupportedError):
        await owner.execute("alter table contacts alter column phone type varchar(40)")

    await owner.execute(commands("anew"))
    await owner.execute(
        "alter table contacts alter column phone type varchar(40);"
        "create table contact_custom_fields (id uuid primary key default gen_random_uuid(), contact_id uuid not null,"
        " tenant_id text not null, field_key text not null, field_type text not null, field_value jsonb,"
        " created_at timestamptz, updated_at timestamptz, deleted_at timestamptz, unique (contact_id, field_key))"
    )
    await migrate(owner, SOURCE)

    assert await owner.fetchval("select count(*) from mcp_store.tenant_settings") == 1
    async with owner.transaction():
        await owner.execute(f"set local role mcp_reader; set local mcp.tenant_id = '{TENANT}'")
        assert await owner.fetchval("select keeps_custom_fields from mcp.sources")


def test_the_command_adopts_once_and_the_server_sees_the_rows(database: Database) -> None:
    # As the CRM's own migrations set it: another schema comes first, with tables of the same names.
    name = urlsplit(database.owner_url).path.removeprefix("/")
    database.execute(f"alter database {name} set search_path to crm, shared, public")

    assert command("migrate", "--adopt", "ventros", **database.environment).out == f"{len(NAMES)} migrations applied.\n"
    assert command("migrate", "--adopt", "ventros", **database.environment).out == "The database is up to date.\n"
    assert asyncio.run(leads(database.owner_url, database.server_url)) == 1


def test_a_database_keeps_to_its_source(database: Database) -> None:
    command("migrate", **database.environment).refused("already holds tables of another program")
    database.execute("drop schema mcp_store cascade")
    command("migrate", "--adopt", "ventros", **database.environment)

    command("migrate", **database.environment).refused("set up from the source ventros, not from crm", "--adopt")
    command("demo", "--tenant", "aurora", **database.environment).refused("another CRM's own")


def test_a_database_of_our_own_is_not_adopted(cluster: Cluster) -> None:
    with made_from(template_of(cluster), cluster) as own:
        command("migrate", "--adopt", "ventros", **own.environment).refused("set up from the source crm")


def test_what_is_no_ventros_database_is_told_what_it_lacks(database: Database) -> None:
    database.execute("alter table contacts drop column version; drop table agent_sessions cascade")
    said = command("migrate", "--adopt", "ventros", **database.environment)

    said.refused("not a Ventros CRM database", "public.agent_sessions (agent_id,", "public.contacts (version)")
    assert not database.value("select to_regnamespace('mcp') is not null")


# --- who may ------------------------------------------------------------------------------------


class Site:
    """A server on which a plain login owns a Ventros database, and another one serves."""

    def __init__(self, server: EmbeddedPostgres, version: int) -> None:
        self.server = server
        self.when = "PostgreSQL 16 and newer" if version >= 16 else "PostgreSQL 14 and 15"

    def url(self, login: str = "postgres") -> str:
        return self.server.url("ventros_crm", login)

    def admin(self, *statements: str) -> None:
        """Run statements in the database as a superuser."""
        asyncio.run(execute(self.url(), *statements))

    def run(self, name: str) -> None:
        """Run commands of the operator's page as a superuser."""
        self.admin(commands(f"{name}, {self.when}"))

    def migrate(self, login: str) -> Any:
        """Adopt the database, for the server's login."""
        where = {"DATABASE_OWNER_URL": self.url(login), "DATABASE_URL": self.url("crm_mcp")}
        return command("migrate", "--adopt", "ventros", **where)

    def value(self, query: str) -> Any:
        """Return the first column of the first row, as a superuser sees it."""
        return asyncio.run(value(self.url(), query))

    def works(self) -> bool:
        """Tell whether the server sees the rows, and starts."""
        asyncio.run(warnings_about_login(self.url("crm_mcp")))
        return bool(asyncio.run(leads(self.url(), self.url("crm_mcp"))) == 1)


@pytest.fixture(scope="module")
def ventros_server(postgres: EmbeddedPostgres) -> EmbeddedPostgres:
    """A server with a Ventros database to be copied."""
    as_admin(
        postgres,
        "create role ventros login",
        "create role app_user",
        "create database original owner ventros encoding 'UTF8' template template0",
    )
    asyncio.run(execute(postgres.url("original", "ventros"), VENTROS))
    return postgres


@pytest.fixture
def site(ventros_server: EmbeddedPostgres) -> Iterator[Site]:
    as_admin(
        ventros_server,
        "alter role ventros createrole",
        "create database ventros_crm owner ventros template original",
    )
    yield Site(ventros_server, asyncio.run(_version(ventros_server.url())))
    as_admin(
        ventros_server,
        "drop database ventros_crm (force)",
        "drop role if exists mcp_owner, mcp_reader, mcp_writer, crm_mcp, dba",
    )


async def _version(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        return connection.get_server_version().major
    finally:
        await connection.close()


async def leads(owner_url: str, server_url: str) -> Any:
    """Count leads of the only tenant, as the server does."""
    crm = Crm(Cluster(owner_url, "unused", "unused"), "unused", await asyncpg.connect(owner_url))
    crm.postgres._url = server_url
    try:
        async with crm.postgres:
            return (await crm.call("get_leads_count", {"period": "all"}, tenant=TENANT))["total_leads"]
    finally:
        await crm.owner.close()


def test_a_superuser_adopts_it_alone(site: Site) -> None:
    site.admin("create role crm_mcp login")

    assert site.migrate("postgres").status == 0
    assert site.works()


def test_who_cannot_lift_row_level_security_is_stopped_before_there_is_a_view(site: Site) -> None:
    site.admin("create role crm_mcp login")
    site.migrate("ventros").refused(
        "0004_grants did not apply and changed nothing",
        "mcp_owner sees 0 of the 1 rows of public.contacts because of row-level security",
        'Let a superuser run "alter role mcp_owner bypassrls", then migrate again',
    )
    assert not site.value("select to_regnamespace('mcp') is not null")

    site.admin("alter role mcp_owner bypassrls")
    assert site.migrate("ventros").status == 0
    assert site.works()


def test_row_level_security_that_is_yet_to_be_switched_on_is_foreseen(site: Site) -> None:
    tables = "projects pipelines pipeline_statuses contacts contact_pipeline_statuses messages sessions channels"
    site.admin(*(f"alter table {table} disable row level security" for table in tables.split()))
    site.admin("create role crm_mcp login")

    site.migrate("ventros").refused("would hide rows of public.agent_sessions, ", "alter role mcp_owner bypassrls")


def test_what_a_superuser_prepared_lets_the_tables_owner_adopt_it(site: Site) -> None:
    site.admin("alter role ventros nocreaterole")
    site.run("prepared")

    assert site.migrate("ventros").status == 0
    assert site.works()


def test_where_nobody_gives_bypassrls_a_member_of_the_tables_owner_sees_the_rows(site: Site) -> None:
    site.admin(
        "create role crm_mcp login", "create role dba login createrole", "grant create on database ventros_crm to dba"
    )
    site.admin("grant ventros to dba")
    site.migrate("dba").refused("sees 0 of the 1 rows")
    site.run("member")

    assert site.migrate("dba").status == 0
    assert site.works()


def test_a_server_whose_rows_are_hidden_does_not_start(site: Site) -> None:
    site.admin("create role crm_mcp login")
    site.migrate("postgres")
    site.admin("alter role mcp_owner nobypassrls")

    with pytest.raises(CommandFailed, match="alter role mcp_owner bypassrls"):
        asyncio.run(warnings_about_login(site.url("crm_mcp")))


def test_who_does_not_own_the_tables_is_refused(site: Site) -> None:
    site.admin(
        "create role crm_mcp login", "create role dba login createrole", "grant create on database ventros_crm to dba"
    )

    site.migrate("dba").refused("permission denied for table")
