"""Bring a database to the newest schema: numbered SQL files, once, in order, by one migrator at a time.

Each file runs in a transaction of its own together with its row in the ledger, so a file is
either applied and known, or neither. The ledger keeps a checksum of each.
"""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import asyncpg

# Any number will do, as long as no other program locks the same one.
_LOCK = 0x6D63705F
# Since PostgreSQL 16 a member of a role inherits it or may take it, each as the grant says.
_ROLES_HAVE_OPTIONS = 16
_ATTEMPTS = 10
_PAUSE = 0.05
_LEDGER = """
create schema if not exists mcp_store;
create table if not exists mcp_store.migrations (
    source     text not null,
    number     integer not null,
    name       text not null,
    checksum   text not null,
    applied_at timestamptz not null default now(),
    primary key (source, number)
)
"""
# The owner may be the server's login too; what it inherits does not matter, for it has more by itself.
_MAY_TAKE_ROLES = """
select bool_and(pg_has_role($1, role, $2) and ($1 = current_user or not pg_has_role($1, role, 'usage')))
  from unnest(array['mcp_reader', 'mcp_writer']) as role
"""
_FILE = re.compile(r"(\d{4})_(\w+)\.sql")


class MigrationFailed(Exception):
    """The database cannot be brought to the newest schema; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of a source, such as sql/crm/0001_tables.sql."""

    number: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        """Return the SHA-256 of the file's text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def read_migrations(folder: Path) -> list[Migration]:
    """Return the migrations in *folder*, which are numbered from 0001 without a gap."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        match = _FILE.fullmatch(path.name)
        if match is None:
            raise MigrationFailed(f"{path.name} is not called like 0001_what_it_does.sql.")
        found.append(Migration(int(match[1]), path.stem, path.read_text(encoding="utf-8")))
    if [migration.number for migration in found] != list(range(1, len(found) + 1)):
        raise MigrationFailed(f"The migrations in {folder} are not numbered from 0001 without a gap.")
    return found


async def migrate(
    connection: "asyncpg.Connection[asyncpg.Record]",
    folder: Path,
    *,
    applied: Callable[[Migration], None] = lambda migration: None,
) -> int:
    """Apply what is missing of *folder* and return how many files that were.

    Others that migrate at the same time wait and then find nothing to do. Raises MigrationFailed.
    """
    migrations = read_migrations(folder)
    source = folder.name
    await connection.execute("select pg_advisory_lock($1)", _LOCK)
    try:
        with _refusals("The ledger of migrations cannot be used"):
            await connection.execute(_LEDGER)
            missing = await _missing(connection, source, migrations)
        for migration in missing:
            with _refusals(f"{migration.name} did not apply and changed nothing"):
                await _despite_collisions(partial(_apply, connection, source, migration))
            applied(migration)
        return len(missing)
    finally:
        if not connection.is_closed():
            await connection.execute("select pg_advisory_unlock($1)", _LOCK)


async def _missing(
    connection: "asyncpg.Connection[asyncpg.Record]", source: str, migrations: Sequence[Migration]
) -> Sequence[Migration]:
    """Compare the ledger with the files: what is applied must be unchanged and come first."""
    ledger = await connection.fetch("select source, number, name, checksum from mcp_store.migrations order by number")
    foreign = {row["source"] for row in ledger} - {source}
    if foreign:
        raise MigrationFailed(
            f"This database was set up from the source {foreign.pop()}, not from {source}; one database has one "
            "source. The option --adopt chooses it."
        )
    for position, row in enumerate(ledger, start=1):
        if row["number"] != position:
            raise MigrationFailed(
                f"The ledger of this database lacks migration {position:04}: it was half restored or edited by hand. "
                "Restore mcp_store.migrations from a backup."
            )
        if position > len(migrations):
            raise MigrationFailed(
                f"This database has migration {row['name']}, which this version does not know. Run a newer version."
            )
        if row["checksum"] != migrations[position - 1].checksum:
            raise MigrationFailed(
                f"{row['name']} was changed after it was applied. Restore the file, and put the change into a new one."
            )
    if not ledger and await connection.fetchval("select to_regnamespace('mcp') is not null"):
        raise MigrationFailed(
            "This database has the schema mcp but no ledger of what made it. "
            "Restore mcp_store.migrations from a backup, or start from an empty database."
        )
    return migrations[len(ledger) :]


async def _apply(connection: "asyncpg.Connection[asyncpg.Record]", source: str, migration: Migration) -> None:
    async with connection.transaction():
        if connection.get_server_version().major >= _ROLES_HAVE_OPTIONS:
            # Else whoever creates a role may administer it, but not act for it.
            await connection.execute("set local createrole_self_grant = 'set'")
        await connection.execute(migration.text)
        await connection.execute(
            "insert into mcp_store.migrations (source, number, name, checksum) values ($1, $2, $3, $4)",
            source,
            migration.number,
            migration.name,
            migration.checksum,
        )


@contextmanager
def _refusals(what: str) -> Iterator[None]:
    """Turn PostgreSQL's refusal into a MigrationFailed that begins with *what*."""
    try:
        yield
    except asyncpg.DuplicateTableError as error:
        raise MigrationFailed(
            f"{what}: {error}. The database already holds tables of another program; use an empty database."
        ) from error
    except asyncpg.InsufficientPrivilegeError as error:
        raise MigrationFailed(
            f"{what}: {error}. DATABASE_OWNER_URL needs a login that owns the database and may create roles."
        ) from error
    except asyncpg.PostgresError as error:
        raise MigrationFailed(f"{what}: {error}.") from error


async def _despite_collisions(change: Callable[[], Awaitable[object]]) -> None:
    """Make a *change* in which roles are touched, if need be several times.

    Roles belong to the whole cluster, but a lock to one database: another database's migrator may
    change the same role at the same moment, and PostgreSQL then fails one of the two.
    """
    for _ in range(_ATTEMPTS - 1):
        try:
            await change()
            return
        except (asyncpg.InternalServerError, asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError):
            await asyncio.sleep(_PAUSE)
    await change()


async def grant_login(connection: "asyncpg.Connection[asyncpg.Record]", login: str) -> None:
    """Let *login* take the roles mcp_reader and mcp_writer inside a transaction, and do nothing by itself.

    Raises MigrationFailed. A superuser may take them anyway; an owner who is the server's login as
    well may take them, and goes on owning.
    """
    known = await connection.fetchrow(
        "select quote_ident(rolname), rolsuper, rolname = current_user from pg_roles where rolname = $1", login
    )
    if known is None:
        raise MigrationFailed(f"There is no login {login!r}; create it first: create role {login} login password '…'.")
    name, may_do_everything, owns = known
    if may_do_everything:
        return
    options = connection.get_server_version().major >= _ROLES_HAVE_OPTIONS
    if await connection.fetchval(_MAY_TAKE_ROLES, login, "set" if options else "member"):
        return
    grant = f"grant mcp_reader, mcp_writer to {name}"
    if options:
        grant = f"{grant} with inherit false, set true"
    elif not owns:
        grant = f"alter role {name} noinherit; {grant}"
    with _refusals(f"The login {login!r} was not given the server's roles"):
        await _despite_collisions(partial(connection.execute, grant))
