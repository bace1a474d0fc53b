"""What `serve --dev` sets up: a database, its schema, two demo tenants, a token, and a page of how to go on."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import typer
from pydantic import SecretStr

from handlers.demo import DemoPlan
from rpc_server.backends.embedded_postgres import EmbeddedPostgres, PostgresFailed
from rpc_server.commands.banner import banner
from rpc_server.commands.demo import load, progress_bar
from rpc_server.commands.owner import bring_up_to_date, owner_connection
from rpc_server.commands.secret import development_secret, development_tokens
from rpc_server.settings import Settings

SERVER_LOGIN = "mcp_server"
# Two, so that one can see that neither sees the other.
DEMO_TENANTS = {"aurora": 2_000, "boreal": 400}

Banner = Callable[[str], str]


@asynccontextmanager
async def prepared(settings: Settings) -> AsyncIterator[tuple[Settings, Banner]]:
    """Yield settings that a server can run with, and the page to show once it does."""
    tenant, other = DEMO_TENANTS
    token = development_tokens(settings, make=True).sign(tenant, "developer", ["*"], timedelta(hours=24))
    token_file = _kept(token, settings.data_dir / "token")
    secret = SecretStr(development_secret(settings, make=True))
    if settings.database_url is not None:
        owner = (settings.database_owner_url or settings.database_url).get_secret_value()
        await _fill(owner, settings.database_url.get_secret_value(), only_if_empty=True)
        yield (
            settings.model_copy(update={"jwt_secret": secret}),
            lambda address: banner(address, token, token_file, other, "in the database of DATABASE_URL"),
        )
        return
    folder = settings.data_dir / "postgres"
    typer.echo(f"Starting the embedded PostgreSQL on {folder} …")
    server = await _started(folder)
    try:
        await _make_login(server.url())
        server_url = server.url(user=SERVER_LOGIN)
        await _fill(server.url(), server_url, only_if_empty=False)
        yield (
            settings.model_copy(update={"jwt_secret": secret, "database_url": SecretStr(server_url)}),
            lambda address: banner(address, token, token_file, other, f"in {folder} (delete it for a fresh start)"),
        )
    finally:
        await asyncio.to_thread(server.stop)


async def _started(folder: Path) -> EmbeddedPostgres:
    """Start PostgreSQL; a cancellation waits for it, because a thread cannot be interrupted, and stops it."""
    starting = asyncio.ensure_future(asyncio.to_thread(EmbeddedPostgres.start, folder))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        with suppress(PostgresFailed):  # a terminal's Ctrl-C reaches initdb too
            await asyncio.to_thread((await starting).stop)
        raise


async def _make_login(url: str) -> None:
    async with owner_connection(url) as connection:
        if not await connection.fetchval("select exists (select from pg_roles where rolname = $1)", SERVER_LOGIN):
            await connection.execute(f"create role {SERVER_LOGIN} login")


async def _fill(owner: str, server_url: str, *, only_if_empty: bool) -> None:
    """Migrate and load the demo tenants that are missing; into somebody's own database only if it is empty."""
    async with owner_connection(owner) as connection:
        applied = await bring_up_to_date(connection, server_url)
        typer.echo(f"Schema: {f'{applied} migrations applied' if applied else 'up to date'}.")
        tenants = {row["tenant_id"] for row in await connection.fetch("select tenant_id from public.projects")}
        if only_if_empty and tenants:
            typer.echo("The database has tenants already; no demo data is added.")
            return
        await _load_missing(connection, {t: n for t, n in DEMO_TENANTS.items() if t not in tenants})


async def _load_missing(connection: "asyncpg.Connection[asyncpg.Record]", missing: dict[str, int]) -> None:
    if not missing:
        return
    until = datetime.now(UTC).replace(microsecond=0)
    with progress_bar() as bar:
        for tenant, contacts in missing.items():
            task = bar.add_task(f"demo tenant {tenant}", total=contacts)

            def advance(done: int, task: object = task) -> None:
                bar.advance(task, done)  # type: ignore[arg-type]

            await load(connection, DemoPlan(tenant_id=tenant, contacts=contacts, seed=1, until=until), advance)


def _kept(token: str, path: Path) -> Path:
    """Keep *token* in a file of its own, so that the commands to paste stay short; return its full path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(f"{token}\n")
    return path.resolve()
