"""`serve`: run the server; with --dev, everything it needs as well."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Any, Never
from urllib.parse import urlsplit

import typer
import uvloop
from aiohttp import web

from rpc_server.app import make_app
from rpc_server.backends.issuers import trusted_issuers
from rpc_server.backends.logs import configure_logs
from rpc_server.commands.development import prepared
from rpc_server.commands.failure import CommandFailed, sentences
from rpc_server.commands.standing import warnings_about_login
from rpc_server.settings import Settings
from rpc_server.transport.server import Runner

_KEEP_ALIVE_SECONDS = 60


def serve(
    dev: Annotated[
        bool,
        typer.Option("--dev", help="Set up everything: embedded PostgreSQL, schema, demo tenants, a token to paste."),
    ] = False,
    host: Annotated[str | None, typer.Option(help="Address to listen on (HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (PORT).")] = None,
) -> None:
    """Run the server until Ctrl-C or SIGTERM.

    Without --dev it needs DATABASE_URL (migrated, see 'migrate') and JWT_SECRET, or another issuer of
    tokens (docs/identity.md). With --dev it makes what is missing and keeps it under .data/.
    """
    with sentences():
        changed: dict[str, Any] = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
        settings = Settings(**changed)
        configure_logs(settings.log_format, settings.log_level)
        uvloop.run(_serve(settings, dev=dev))


async def _serve(settings: Settings, *, dev: bool) -> None:
    with suppress(asyncio.CancelledError), _listening(settings) as listener:
        _let_signals_cancel()
        if not dev:
            for warning in await warnings_about_login(_checked(settings)):
                typer.secho(warning, err=True, fg="yellow")
            async with _running(settings, listener):
                typer.echo(f"crm-mcp serves on {_address(settings, listener)}; stop it with Ctrl-C or SIGTERM.")
                await _until_cancelled()
        async with prepared(settings) as (ready, banner), _running(ready, listener):
            typer.echo(banner(_address(settings, listener)))
            await _until_cancelled()


def _let_signals_cancel() -> None:
    """Let Ctrl-C and SIGTERM cancel this task, wherever it is: getting ready takes a while the first time."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        # Once: another signal must not interrupt the clearing up. `make` passes on what a group gets anyway.
        loop.add_signal_handler(number, lambda: task.cancelling() or task.cancel())


async def _until_cancelled() -> Never:
    try:
        while True:
            await asyncio.get_running_loop().create_future()
    finally:
        typer.echo("Stopping: running calls finish first.")


def _checked(settings: Settings) -> str:
    """Return the server's login; raises CommandFailed where something is not set."""
    found = {"DATABASE_URL": settings.database_url is not None, "JWT_SECRET": settings.names_an_issuer()}
    missing = " and ".join(name for name, is_set in found.items() if not is_set)
    if missing or settings.database_url is None:
        raise CommandFailed(f"Set {missing}, or use 'serve --dev', which makes what it needs.")
    # Before the database is asked for anything.
    trusted_issuers(settings)
    settings.sealing_secret()
    url = settings.database_url.get_secret_value()
    if urlsplit(url).scheme not in ("postgres", "postgresql"):
        raise CommandFailed("DATABASE_URL must be like postgresql://login:password@host/database.")
    return url


def _listening(settings: Settings) -> socket.socket:
    """Take the port before anything else: whoever has it should not wait for a database first."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        # Until somebody listens, the port is free for whoever starts at the same time.
        listener.listen()
    except OSError as error:
        listener.close()
        raise CommandFailed(
            f"Port {settings.port} on {settings.host} cannot be used: {error.strerror}. "
            f"Stop whatever uses it, or choose another: PORT={settings.port + 1} make run."
        ) from None
    return listener


@asynccontextmanager
async def _running(settings: Settings, listener: socket.socket) -> AsyncIterator[None]:
    try:
        app = make_app(settings)
    except ValueError as error:
        raise CommandFailed(f"{error}.") from None
    runner = Runner(
        app, access_log=None, keepalive_timeout=_KEEP_ALIVE_SECONDS, shutdown_timeout=settings.drain_seconds
    )
    await runner.setup()
    try:
        await web.SockSite(runner, listener).start()
        yield
    finally:
        await runner.cleanup()


def _address(settings: Settings, listener: socket.socket) -> str:
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "") else settings.host  # noqa: S104 - compared, not bound
    return settings.public_url or f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
