"""The one address of the servers: what a client connects to, whichever of them runs just now."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tests.faults.relay import listening, relay
from tests.faults.trap import Trap

_CHUNK = 65536


class Front:
    """Passes each connection on to the server that runs when it comes."""

    def __init__(self, port: Callable[[], int | None]) -> None:
        """*port* tells where the server listens; None: there is none."""
        self.trap: Trap | None = None
        self.url = ""
        self._port = port
        self._clients: set[StreamWriter] = set()

    def cut(self) -> None:
        """Cut all connections; what was replied and is not passed on yet is lost."""
        for client in self._clients:
            client.transport.abort()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Front"]:
        """Pass connections on while the block runs."""
        async with listening(lambda serve: asyncio.start_server(serve, "127.0.0.1", 0), self._serve) as server:
            self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            yield self

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        if (port := self._port()) is None:
            return
        server = await asyncio.open_connection("127.0.0.1", port)
        self._clients.add(writer)
        try:
            await relay(self._pass(reader, server[1]), self._pass_reply(server[0], writer), writers=(writer, server[1]))
        finally:
            self._clients.discard(writer)

    async def _pass(self, reader: StreamReader, writer: StreamWriter) -> None:
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()

    async def _pass_reply(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Pass the reply on, unless it tells of success and the trap waits for that."""
        first = await reader.read(_CHUNK)
        if self.trap is not None and first.startswith(b"HTTP/1.1 200 "):
            trap, self.trap = self.trap, None
            await trap.spring(None)
            return
        writer.write(first)
        await self._pass(reader, writer)
