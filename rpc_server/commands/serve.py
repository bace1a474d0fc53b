"""`serve`: run the server; with --dev, everything it needs as well."""

import asyncio
import resource
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Annotated, Any, Never
from urllib.parse import urlsplit

import structlog
import typer
import uvloop
from aiohttp import web

from rpc_server.app import make_app
from rpc_server.backends.exposition import shared_folder
from rpc_server.backends.issuers import trusted_issuers
from rpc_server.backends.logs import configure_logs
from rpc_server.commands.failure import CommandFailed, sentences
from rpc_server.commands.standing import warnings_about_login
from rpc_server.commands.workers import MISCONFIGURED, Workers
from rpc_server.settings import Settings
from rpc_server.transport.server import Runner

logger = structlog.get_logger("serve")

# Connections that wait to be taken.
_BACKLOG = 1024
# Files that are open besides connections: of the program, of Redis, of the model.
_OTHER_FILES = 200
# After the last call: changes, the audit trail and pools have their own times.
_CLEARING_SECONDS = 60.0


def serve(
    dev: Annotated[
        bool,
        typer.Option("--dev", help="Set up everything: embedded PostgreSQL, schema, demo tenants, a token to paste."),
    ] = False,
    host: Annotated[str | None, typer.Option(help="Address to listen on (HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (PORT).")] = None,
    workers: Annotated[int | None, typer.Option(help="How many processes serve (WORKERS).")] = None,
) -> None:
    """Run the server until Ctrl-C or SIGTERM.

    Without --dev it needs DATABASE_URL (migrated, see 'migrate') and JWT_SECRET, or another issuer of
    tokens (docs/identity.md). With --dev it makes what is missing and keeps it under .data/.
    """
    with sentences():
        given: dict[str, Any] = {"host": host, "port": port, "workers": workers}
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
        configure_logs(settings.log_format, settings.log_level)
        _allow_files(settings)
        if settings.workers == 1:
            uvloop.run(_serve(settings, dev=dev))
        elif dev:
            raise CommandFailed("WORKERS is for a server without --dev, which has only one process. Unset it.")
        else:
            raise typer.Exit(_serve_together(settings))


async def _serve(settings: Settings, *, dev: bool) -> None:
    with suppress(asyncio.CancelledError), _listening(settings) as listener:
        _let_signals_cancel(hangup=dev)
        if not dev:
            for warning in await warnings_about_login(_checked(settings)):
                typer.secho(warning, err=True, fg="yellow")
            async with _running(settings, listener):
                typer.echo(f"crm-mcp serves on {_address(settings, listener)}; stop it with Ctrl-C or SIGTERM.")
                await _until_cancelled()
        # What only development needs: demo data, an embedded PostgreSQL, a bar of progress.
        from rpc_server.commands.development import prepared

        async with prepared(settings) as (ready, banner), _running(ready, listener):
            typer.echo(banner(_address(settings, listener)))
            await _until_cancelled()


def _serve_together(settings: Settings) -> int:
    """Serve by several processes; return the exit status."""
    with _listening(settings) as listener, shared_folder(settings.metrics_dir) as metrics_dir:
        for warning in asyncio.run(warnings_about_login(_checked(settings))):
            typer.secho(warning, err=True, fg="yellow")
        signal.signal(signal.SIGHUP, lambda *_: _refuse_to_reload())
        where = f"{_address(settings, listener)}, in {settings.workers} processes"
        typer.echo(f"crm-mcp serves on {where}; stop it with Ctrl-C or SIGTERM.")
        end_seconds = settings.ready_grace_seconds + settings.drain_seconds + _CLEARING_SECONDS
        work = partial(_serve_as_worker, settings.model_copy(update={"metrics_dir": metrics_dir}), listener)
        return Workers(work, settings.workers, listener=listener, end_seconds=end_seconds).run()


def _serve_as_worker(settings: Settings, listener: socket.socket, alive: int) -> int:
    """Serve until a signal, or until nobody holds the other end of *alive* any more."""

    async def serve_until_told() -> None:
        with suppress(asyncio.CancelledError):
            stop = _let_signals_cancel(hangup=False)
            asyncio.get_running_loop().add_reader(alive, stop)
            async with _running(settings, listener):
                await asyncio.get_running_loop().create_future()

    try:
        with sentences():
            uvloop.run(serve_until_told())
    except typer.Exit:
        return MISCONFIGURED
    return 0


def _let_signals_cancel(*, hangup: bool) -> Callable[[], None]:
    """Let Ctrl-C and SIGTERM cancel this task, wherever it is: getting ready takes a while the first time.

    With *hangup* SIGHUP does so too: a terminal was closed. Returns what does the same.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    is_stopping = False

    def stop() -> None:
        # Once: another signal must not interrupt the clearing up. `make` passes on what a group gets anyway.
        nonlocal is_stopping
        if not is_stopping:
            is_stopping = task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    loop.add_signal_handler(signal.SIGHUP, stop if hangup else _refuse_to_reload)
    return stop


def _refuse_to_reload() -> None:
    logger.warning("nothing is reloaded: settings count from the next start on", signal="SIGHUP")


def _allow_files(settings: Settings) -> None:
    """Raise the limit of open files as far as connections need and the system lets."""
    needed = settings.max_connections + settings.database_pool_size + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < needed:
        wanted = f"MAX_CONNECTIONS={settings.max_connections} needs {needed}"
        typer.secho(f"Only {allowed} files may be open (ulimit -n), and {wanted}.", err=True, fg="yellow")


async def _until_cancelled() -> Never:
    try:
        while True:
            await asyncio.get_running_loop().create_future()
    except asyncio.CancelledError:
        typer.echo("Stopping: running calls finish first.")
        # Else each time-out of the way out looks like being called off again, to Python 3.11.2.
        task = asyncio.current_task()
        assert task is not None
        task.uncancel()
        raise


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
        app = make_app(settings, alone=settings.workers == 1)
    except ValueError as error:
        raise CommandFailed(f"{error}.") from None
    runner = Runner(app, access_log=None)
    await runner.setup()
    try:
        await web.SockSite(runner, listener, backlog=_BACKLOG).start()
        yield
    finally:
        await runner.cleanup()


def _address(settings: Settings, listener: socket.socket) -> str:
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "") else settings.host  # noqa: S104 - compared, not bound
    return settings.public_url or f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
