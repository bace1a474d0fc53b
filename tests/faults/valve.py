"""A stretch of network before PostgreSQL that can be shut: nothing passes, and nobody is told."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.faults.relay import connect_to, listening, relay

_CHUNK = 65536


class Valve:
    """Listens on TCP and passes all on to the PostgreSQL server of *url*, while it is open."""

    def __init__(self, url: str) -> None:
        self.port = 0
        self.connections = 0
        self._url = url
        self._open = asyncio.Event()
        self._open.set()

    def shut(self) -> None:
        """Let nothing through: connections are taken, as by a kernel whose process is stopped, and stay silent."""
        self._open.clear()

    def open(self) -> None:
        """Let all through, also what waits."""
        self._open.set()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Valve"]:
        """Pass connections on while the block runs."""
        async with listening(lambda serve: asyncio.start_server(serve, "127.0.0.1", 0), self._serve) as server:
            self.port = server.sockets[0].getsockname()[1]
            yield self

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.connections += 1
        try:
            await self._open.wait()
            backend = await connect_to(self._url)
            ways = (self._pass(reader, backend[1]), self._pass(backend[0], writer))
            await relay(*ways, writers=(writer, backend[1]))
        finally:
            self.connections -= 1

    async def _pass(self, reader: StreamReader, writer: StreamWriter) -> None:
        while data := await reader.read(_CHUNK):
            await self._open.wait()
            writer.write(data)
            await writer.drain()
