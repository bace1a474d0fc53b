"""Connections in, connections out, and what passes between them."""

import asyncio
from asyncio import IncompleteReadError, StreamReader, StreamWriter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import parse_qs, urlsplit

Serve = Callable[[StreamReader, StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(
    listen: Callable[[Serve], Coroutine[Any, Any, asyncio.Server]], serve: Serve
) -> AsyncIterator[asyncio.Server]:
    """Serve each connection while the block runs; then end those that are left."""
    serving: set[asyncio.Task[Any]] = set()

    async def served(reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            # Cancelled only by us, and the streams of Python 3.11 complain of tasks that were.
            with suppress(OSError, IncompleteReadError, asyncio.CancelledError):
                await serve(reader, writer)
        finally:
            serving.discard(task)
            writer.close()

    server = await listen(served)
    try:
        yield server
    finally:
        server.close()
        for task in list(serving):
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


async def relay(*directions: Coroutine[Any, Any, None], writers: Sequence[StreamWriter]) -> None:
    """Run both directions until one ends, then close both sides."""
    tasks = [asyncio.create_task(direction) for direction in directions]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for writer in writers:
            writer.close()
        for task in tasks:
            task.cancel()
        endings = await asyncio.gather(*tasks, return_exceptions=True)
    for ending in endings:
        if isinstance(ending, Exception) and not isinstance(ending, OSError | IncompleteReadError):
            raise ending


async def connect_to(url: str) -> tuple[StreamReader, StreamWriter]:
    """Connect to the PostgreSQL server of *url*, over its unix socket if it names a folder as host."""
    parts = urlsplit(url)
    options = {name: values[0] for name, values in parse_qs(parts.query).items()}
    host, port = options.get("host") or parts.hostname or "localhost", options.get("port") or parts.port or 5432
    if host.startswith("/"):
        return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
    return await asyncio.open_connection(host, int(port))
