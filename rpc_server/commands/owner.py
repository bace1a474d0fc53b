"""A connection of the database's owner, for commands that migrate or load."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import asyncpg

from rpc_server.backends.embedded_postgres import EmbeddedPostgres
from rpc_server.backends.migrations import grant_login, migrate
from rpc_server.backends.postgres_connection import is_direct
from rpc_server.commands.failure import CommandFailed
from rpc_server.settings import ROOT, Settings

SOURCE = ROOT / "sql" / "crm"
# Sources for other CRMs' databases, a folder each: only what the server keeps itself, and the views.
ADOPTED = ROOT / "sql" / "adopt"
_PATIENCE = 10
_CHECK = "Check DATABASE_OWNER_URL, or DATABASE_URL where that is unset."


def owner_url(settings: Settings) -> str:
    """Return DATABASE_OWNER_URL, else DATABASE_URL, else the address of a running `serve --dev`."""
    chosen = settings.database_owner_url or settings.database_url
    if chosen is not None:
        return chosen.get_secret_value()
    running = EmbeddedPostgres.running_url(settings.data_dir / "postgres")
    if running is None:
        raise CommandFailed(
            "Set DATABASE_OWNER_URL to a login that owns the database, or start 'serve --dev' beside this."
        )
    return running


@asynccontextmanager
async def owner_connection(url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """Yield a connection of the owner; its session is in UTC. Raises CommandFailed without one."""
    try:
        connection = await asyncpg.connect(url, timeout=_PATIENCE, server_settings={"timezone": "UTC"})
    except TimeoutError:
        raise CommandFailed(f"PostgreSQL does not answer within {_PATIENCE} seconds. {_CHECK}") from None
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise CommandFailed(f"PostgreSQL cannot be reached: {error}. {_CHECK}") from None
    try:
        if connection.get_server_version().major < 14:
            raise CommandFailed(f"PostgreSQL 14 or newer is needed; this is {connection.get_server_version().major}.")
        # Locks and prepared statements of a session would be left behind on somebody else's backend.
        if Settings().database_pooler != "session" and not await is_direct(connection):
            raise CommandFailed(
                "A pooler stands before this PostgreSQL. Set DATABASE_OWNER_URL to an address of PostgreSQL itself; "
                "or, where the pooler keeps one backend for a whole session, DATABASE_POOLER=session."
            )
        yield connection
    finally:
        await connection.close()


async def bring_up_to_date(
    connection: "asyncpg.Connection[asyncpg.Record]", server_url: str | None, source: Path | None = None
) -> int:
    """Migrate, let the login of *server_url* take the server's roles, and return how many files were applied.

    The *source* is a folder of migrations; None: that of our own tables.
    """
    applied = await migrate(connection, source or SOURCE)
    login = urlsplit(server_url).username if server_url else None
    if login:
        await grant_login(connection, unquote(login))
    return applied
