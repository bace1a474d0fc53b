"""What stands between the server and PostgreSQL: it passes everything on, until its trap springs."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults import wire
from tests.faults.relay import connect_to, listening, relay
from tests.faults.trap import Moment, Trap


@dataclass(slots=True)
class Link:
    """One connection of the server, and ours to PostgreSQL for it."""

    server: tuple[StreamReader, StreamWriter]
    backend: tuple[StreamReader, StreamWriter]
    pid: int | None = None
    requests: wire.Requests = field(default_factory=wire.Requests)
    transaction: set[str] = field(default_factory=set)
    # One for each request whose answer has not ended yet: the trap that it is in.
    unanswered: deque[Trap | None] = field(default_factory=deque)
    # While a trap springs, nothing else passes.
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Proxy:
    """Listens on a unix socket in *folder* as PostgreSQL does: asyncpg sends no TLS over one."""

    def __init__(self, folder: Path, admin_url: str) -> None:
        self.folder = folder
        self.trap: Trap | None = None
        self._admin_url = admin_url
        self._links: list[Link] = []

    def cut(self) -> None:
        """Close all connections, to both sides; what was passed on before still arrives."""
        for link in self._links:
            link.server[1].close()
            link.backend[1].close()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Proxy"]:
        """Pass connections on while the block runs."""
        path = self.folder / ".s.PGSQL.5432"
        async with listening(lambda serve: asyncio.start_unix_server(serve, path), self._serve):
            yield self

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        link = Link((reader, writer), await connect_to(self._admin_url))
        self._links.append(link)
        try:
            await relay(self._pass_requests(link), self._pass_answers(link), writers=(writer, link.backend[1]))
        finally:
            self._links.remove(link)

    async def _pass_requests(self, link: Link) -> None:
        reader, writer = link.server[0], link.backend[1]
        writer.write(await wire.read_startup(reader))
        passes = True
        while passes:
            request = b""
            while True:
                message = await wire.read_message(reader)
                statement = link.requests.follow(message)
                request += message.raw
                if not wire.is_part(message):
                    break
            async with link.turn:
                passes = await self._pass_request(link, request, statement)

    async def _pass_request(self, link: Link, request: bytes, statement: str | None) -> bool:
        """Pass a request on, unless the trap springs before; tell whether the connection still stands."""
        trap = None if statement is None else self._trap_at(link, statement)
        if trap is not None and trap.stop.moment is Moment.ASKED:
            return await trap.spring(link.pid)
        if statement is not None:
            link.unanswered.append(trap)
        link.backend[1].write(request)
        if trap is not None and trap.stop.moment is Moment.PASSED_ON:
            return await trap.spring(link.pid)
        await link.backend[1].drain()
        return True

    async def _pass_answers(self, link: Link) -> None:
        passes = True
        while passes:
            message = await wire.read_message(link.backend[0])
            if message.kind == wire.BACKEND_KEY:
                link.pid = int.from_bytes(message.body[:4])
            async with link.turn:
                passes = await self._pass_answer(link, message)

    async def _pass_answer(self, link: Link, message: wire.Message) -> bool:
        """Pass a part of an answer on, unless it is withheld; tell whether the connection still stands."""
        trap = link.unanswered[0] if link.unanswered else None
        moment = None if trap is None else trap.stop.moment
        if moment is not Moment.DONE:
            link.server[1].write(message.raw)
        if message.kind == wire.READY and link.unanswered:
            link.unanswered.popleft()
            if trap is not None and moment in (Moment.DONE, Moment.ANSWERED):
                # At once: nothing that the server says to this may get through.
                return await trap.spring(link.pid)
        await link.server[1].drain()
        return True

    def _trap_at(self, link: Link, statement: str) -> Trap | None:
        """Follow the transaction, and take the trap if this is what it waits for."""
        if statement.startswith("begin"):
            link.transaction.clear()
        trap = self.trap
        if trap is not None and trap.fits(statement, link.transaction):
            self.trap = None
        else:
            trap = None
        link.transaction.add(statement)
        return trap
