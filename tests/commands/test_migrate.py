"""`migrate`: once, in order, also from several replicas, and a sentence where it cannot be."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from rpc_server.backends.embedded_postgres import EmbeddedPostgres, PostgresNotFound, find_binaries
from rpc_server.backends.migrations import Migration, MigrationFailed, grant_login, migrate, read_migrations
from rpc_server.commands import owner
from rpc_server.settings import ROOT
from tests.commands.conftest import Database
from tests.commands.program import command
from tests.commands.test_commands import demo, fingerprints
from tests.conftest import Crm
from tests.database import FAST, Cluster

SOURCE = ROOT / "sql" / "crm"
NAMES = [path.stem for path in sorted(SOURCE.glob("*.sql"))]
LEDGER = "select string_agg(name, ' ' order by applied_at, number) from mcp_store.migrations"


def test_files_are_applied_in_order_and_only_once(empty_database: Database) -> None:
    first = command("migrate", **empty_database.environment)
    assert (0, f"{len(NAMES)} migrations applied.\n", "") == (first.status, first.out, first.err)
    assert empty_database.value(LEDGER).split() == NAMES
    applied_at = empty_database.value("select max(applied_at) from mcp_store.migrations")

    second = command("migrate", **empty_database.environment)
    assert (second.status, second.out, second.err) == (0, "The database is up to date.\n", "")
    assert empty_database.value("select max(applied_at) from mcp_store.migrations") == applied_at


def test_a_later_version_applies_only_what_is_new(empty_database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "crm"
    write(folder, "0001_first", "create table first (id int)")
    assert migrated(empty_database, folder) == ["0001_first"]
    write(folder, "0002_second", "create table second (id int)")
    write(folder, "0003_third", "alter table second add name text")
    assert migrated(empty_database, folder) == ["0002_second", "0003_third"]


def test_five_replicas_may_migrate_one_database_at_the_same_time(empty_database: Database, cluster: Cluster) -> None:
    assert sorted(asyncio.run(at_once([empty_database.owner_url] * 5, cluster.login))) == [0, 0, 0, 0, len(NAMES)]
    assert empty_database.value(LEDGER).split() == NAMES


def test_a_file_that_changed_after_it_was_applied_is_named(database: Database) -> None:
    database.execute("update mcp_store.migrations set checksum = 'other' where number = 2")
    command("migrate", **database.environment).refused(
        "0002_store was changed after it was applied. Restore the file, and put the change into a new one."
    )


def test_a_gap_in_the_ledger_is_named(database: Database) -> None:
    database.execute("delete from mcp_store.migrations where number = 2")
    command("migrate", **database.environment).refused("lacks migration 0002", "Restore mcp_store.migrations")


def test_a_database_of_a_newer_version_is_left_alone(database: Database) -> None:
    number = len(NAMES) + 1
    database.execute(f"insert into mcp_store.migrations values ('crm', {number}, '{number:04}_from_tomorrow', 'x')")
    command("migrate", **database.environment).refused(
        f"has migration {number:04}_from_tomorrow, which this version does not know. Run a newer version."
    )


def test_a_database_of_another_source_is_left_alone(database: Database) -> None:
    database.execute("update mcp_store.migrations set source = 'ventros'")
    command("migrate", **database.environment).refused("set up from the source ventros, not from crm", "--adopt")


def test_a_schema_without_a_ledger_is_left_alone(database: Database) -> None:
    database.execute("delete from mcp_store.migrations")
    command("migrate", **database.environment).refused("has the schema mcp but no ledger", "from an empty database")


def test_tables_of_another_program_are_left_alone(empty_database: Database) -> None:
    empty_database.execute("create table public.contacts (shoe_size int)")
    command("migrate", **empty_database.environment).refused(
        '0001_tables did not apply and changed nothing: relation "contacts" already exists', "use an empty database"
    )
    tables = "select string_agg(relname, ' ') from pg_class where relnamespace = 'public'::regnamespace"
    assert empty_database.value(tables) == "contacts"


def test_a_file_that_fails_half_way_is_named_and_changes_nothing(
    empty_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(SOURCE, tmp_path / "crm"))
    number = len(NAMES) + 1
    write(folder, f"{number:04}_half", "create table half (id int); insert into half values (1); select 1 / 0")
    monkeypatch.setattr(owner, "SOURCE", folder)
    command("migrate", **empty_database.environment).refused(
        f"{number:04}_half did not apply and changed nothing: division by zero."
    )
    assert empty_database.value(LEDGER).split() == NAMES
    assert empty_database.value("select to_regclass('half')") is None
    monkeypatch.undo()
    assert command("migrate", **empty_database.environment).out == "The database is up to date.\n"


@pytest.mark.parametrize("name", ["1_short.sql", "0002_gap.sql"])
def test_files_that_are_not_numbered_from_one_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(MigrationFailed, match=r"is not called like 0001_what_it_does\.sql|without a gap"):
        read_migrations(tmp_path)


def test_a_login_that_is_not_there_is_named(database: Database) -> None:
    said = command("migrate", DATABASE_OWNER_URL=database.owner_url, DATABASE_URL="postgresql://no%20body@/crm")
    said.refused("There is no login 'no body'; create it first")


def write(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.sql").write_text(text)


def migrated(database: Database, folder: Path) -> list[str]:
    applied: list[Migration] = []

    async def run() -> None:
        connection = await asyncpg.connect(database.owner_url)
        try:
            assert await migrate(connection, folder, applied=applied.append) == len(applied)
        finally:
            await connection.close()

    asyncio.run(run())
    return [migration.name for migration in applied]


@pytest.fixture(scope="module", params=["bundled", "installed"])
def postgres(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A server on which nobody has migrated: roles belong to all of it. One since 16, one from before."""
    try:
        binaries = find_binaries(prefer_system=request.param == "installed")
    except PostgresNotFound as missing:
        pytest.skip(str(missing))
    if request.param == "installed" and "embedded_postgres" in binaries.directory.parts:
        pytest.skip("no PostgreSQL is installed on this system")
    with EmbeddedPostgres.start(tmp_path_factory.mktemp("postgres") / "data", settings=FAST, binaries=binaries) as made:
        yield made


class Site:
    """A server where a plain login owns the database, and another one serves."""

    def __init__(self, postgres: EmbeddedPostgres) -> None:
        self.postgres = postgres
        self.owner_url = postgres.url("crm", "crm_owner")
        self.server_url = postgres.url("crm", "crm_server")
        self.admin_url = postgres.url("crm")

    def migrate(self, **environment: str) -> Any:
        """Migrate as the owner, for the server's login."""
        return command(
            "migrate", **{"DATABASE_OWNER_URL": self.owner_url, "DATABASE_URL": self.server_url, **environment}
        )


def as_admin(postgres: EmbeddedPostgres, *statements: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(postgres.url())
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(run())


@pytest.fixture
def site(postgres: EmbeddedPostgres) -> Iterator[Site]:
    as_admin(
        postgres,
        "create role crm_owner login createrole",
        "create role crm_server login",
        "create database crm owner crm_owner encoding 'UTF8' template template0",
    )
    yield Site(postgres)
    as_admin(
        postgres,
        "drop database crm (force)",
        "drop role if exists mcp_owner, mcp_reader, mcp_writer, crm_owner, crm_server, crm_rival",
    )


def test_an_owner_who_is_no_superuser_can_migrate_and_the_server_works(site: Site) -> None:
    assert site.migrate().out == f"{len(NAMES)} migrations applied.\n"
    assert site.migrate().out == "The database is up to date.\n"
    assert asyncio.run(leads_counted_by(site.server_url, site.admin_url)) == 0


def test_an_owner_who_is_no_superuser_fills_a_tenant_with_the_same_rows(site: Site, database: Database) -> None:
    """It may not skip the look-up of foreign keys."""
    plain = Database(site.owner_url, site.server_url)
    site.migrate()
    assert demo(plain, "--contacts", "20").status == demo(database, "--contacts", "20").status == 0
    assert fingerprints(plain) == fingerprints(database)


def test_an_owner_who_is_also_the_servers_login_can_migrate_and_the_server_works(site: Site) -> None:
    assert site.migrate(DATABASE_URL=site.owner_url).out == f"{len(NAMES)} migrations applied.\n"
    assert asyncio.run(leads_counted_by(site.owner_url, site.admin_url)) == 0


async def leads_counted_by(server_url: str, admin_url: str) -> Any:
    crm = Crm(Cluster(admin_url, "unused", "unused"), "crm", await asyncpg.connect(admin_url))
    crm.postgres._url = server_url
    try:
        async with crm.postgres:
            return (await crm.call("get_leads_count", {"period": "all"}, tenant="a"))["total_leads"]
    finally:
        await crm.owner.close()


def test_the_servers_login_by_itself_can_do_nothing(site: Site) -> None:
    site.migrate()
    schemas = "select string_agg(nspname, ' ') from pg_namespace where has_schema_privilege(oid, 'usage')"
    reachable = (
        "select count(*) from pg_class join pg_namespace n on n.oid = relnamespace where relkind in ('r', 'v', 'm')"
        " and nspname not in ('pg_catalog', 'information_schema') and has_table_privilege(pg_class.oid,"
        " 'select, insert, update, delete, truncate, references, trigger')"
    )
    assert not {"mcp", "mcp_store"} & set(asked(site.server_url, schemas).split())
    assert asked(site.server_url, reachable) == 0
    for statement in ("select from mcp.contacts", "select from public.contacts", "select from mcp_store.migrations"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            asked(site.server_url, statement)


def test_the_servers_login_can_read_once_it_took_the_readers_role(site: Site) -> None:
    site.migrate()
    assert asked(site.server_url, "select count(*) from mcp.contacts", role="mcp_reader") == 0
    assert asked(site.server_url, "select count(*) from mcp.contacts", role="mcp_writer") == 0
    for statement in ("select from public.contacts", "select from mcp_store.migrations"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            asked(site.server_url, statement, role="mcp_reader")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        asked(site.server_url, "select 1", role="mcp_owner")


def asked(url: str, query: str, role: str | None = None) -> Any:
    async def run() -> Any:
        connection = await asyncpg.connect(url)
        try:
            async with connection.transaction():
                if role:
                    await connection.execute(f"set local role {role}")
                return await connection.fetchval(query)
        finally:
            await connection.close()

    return asyncio.run(run())


def test_a_login_that_may_not_create_roles_is_told_so(site: Site) -> None:
    as_admin(site.postgres, "alter role crm_owner nocreaterole")
    site.migrate().refused("permission denied", "needs a login that owns the database and may create roles")


def test_a_login_that_does_not_own_the_database_is_told_so(site: Site) -> None:
    as_admin(site.postgres, "create role crm_rival login createrole")
    site.migrate(DATABASE_OWNER_URL=site.postgres.url("crm", "crm_rival")).refused(
        "permission denied", "needs a login that owns the database and may create roles"
    )


def test_the_servers_login_cannot_migrate_in_the_owners_place(site: Site) -> None:
    site.migrate()
    site.migrate(DATABASE_OWNER_URL=site.server_url).refused("permission denied", "owns the database")


@pytest.mark.parametrize("login", ["crm_owner", "postgres"])
def test_several_databases_of_one_server_can_be_migrated_at_the_same_time(site: Site, login: str) -> None:
    names = ["crm", "crm_2", "crm_3"]
    as_admin(site.postgres, *(f"create database {name} owner crm_owner template template0" for name in names[1:]))
    try:
        applied = asyncio.run(at_once([site.postgres.url(name, login) for name in names * 2], "crm_server"))
    finally:
        as_admin(site.postgres, *(f"drop database {name} (force)" for name in names[1:]))
    assert sorted(applied) == [0] * 3 + [len(NAMES)] * 3


async def at_once(urls: list[str], server_login: str) -> list[int]:
    async def one(url: str) -> int:
        connection = await asyncpg.connect(url)
        try:
            applied = await migrate(connection, SOURCE)
            await grant_login(connection, server_login)
            return applied
        finally:
            await connection.close()

    return await asyncio.gather(*(one(url) for url in urls))
