"""Clients that are slow, idle or deaf are cut off, and meanwhile everybody else is served."""

import asyncio
import socket
import statistics
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import pytest
from aiohttp import ClientSession, TCPConnector

from rpc_server.transport import connection
from tests.conftest import Crm, Server, StartServer
from tests.faults.nursery import Nursery
from tests.faults.test_drain import House, house

IDLE, HEADS, BODIES, STREAMS = 500, 100, 100, 200
CALLS = 60
# How much longer a call may take among all these, and the least that counts as longer.
SLOWER, NOTHING_SECONDS = 10, 0.05
PATIENCE = 30.0

Connection = tuple[StreamReader, StreamWriter]


class Clients:
    """Connections of bad clients to one server."""

    def __init__(self, place: House) -> None:
        self._place = place
        self._address = urlsplit(place.process.url)
        self.connections: list[Connection] = []

    async def idle(self) -> None:
        """Call once, and keep the connection."""
        reader, _ = await self._send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.readuntil(b'"ok"}')

    async def send_head_slowly(self) -> None:
        """Begin a request and never end its head."""
        await self._send(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")

    async def send_body_slowly(self) -> None:
        """Send a request whose body stops in the middle."""
        token = self._place.headers["Authorization"].encode()
        head = b"POST /rpc HTTP/1.1\r\nHost: localhost\r\nAuthorization: %s\r\nContent-Length: 100\r\n\r\n{" % token
        await self._send(head)

    async def trickle(self) -> None:
        """Go on sending heads, a byte at a time, as long as anybody reads them."""
        while True:
            for _, writer in self.connections:
                if not writer.is_closing():
                    writer.write(b"x")
            await asyncio.sleep(0.1)

    async def cut_off(self) -> None:
        """Return when the server has closed all connections."""
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*(_end(reader) for reader, _ in self.connections))

    async def _send(self, data: bytes) -> Connection:
        opened = await asyncio.open_connection(self._address.hostname, self._address.port)
        self.connections.append(opened)
        opened[1].write(data)
        return opened


async def _end(reader: StreamReader) -> None:
    try:
        await reader.read()
    except ConnectionError:
        return


@asynccontextmanager
async def streams(place: House) -> AsyncIterator[list["asyncio.Task[bytes]"]]:
    """Have one analysis watched by many, while the block runs; then it ends."""
    url = f"{place.process.url}/v1/tools/analyze_agent_messages/stream"
    watched = f"{place.process.url}/progress/watched"
    headers = {**place.headers, "X-Request-Id": "watched"}
    started = asyncio.Semaphore(0)

    async def watch(session: ClientSession, address: str) -> bytes:
        async with session.get(address, params={"agent_id": place.agent}, headers=headers) as response:
            first = await response.content.readuntil(b"\r\n\r\n")
            started.release()
            return first + await response.read()

    async with ClientSession(connector=TCPConnector(limit=0)) as session:
        async with place.held("messages"):
            tasks = [asyncio.create_task(watch(session, url))]
            await place.waiting(1)
            tasks += [asyncio.create_task(watch(session, watched)) for _ in range(STREAMS - 1)]
            for _ in tasks:
                await started.acquire()
            yield tasks
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*tasks)


async def typical_seconds(place: House) -> float:
    """Return the median time of a call, one after the other."""
    taken = []
    for number in range(CALLS):
        place.user = f"caller-{number}"
        began = time.monotonic()
        status, _ = await place.count_leads()
        taken.append(time.monotonic() - began)
        assert status == 200
    return statistics.median(taken)


async def test_everybody_is_served_among_hundreds_of_bad_clients(crm: Crm, nursery: Nursery, tmp_path: Path) -> None:
    settings = {"BODY_SECONDS": "10", "KEEP_ALIVE_SECONDS": "10", "MAX_CONNECTIONS": "2000"}
    async with house(crm, nursery, tmp_path, **settings) as place:
        before = await typical_seconds(place)
        place.user = "watcher"
        async with streams(place) as watchers:
            idle, slow = Clients(place), Clients(place)
            await asyncio.gather(*(idle.idle() for _ in range(IDLE)))
            await asyncio.gather(*(slow.send_body_slowly() for _ in range(BODIES)))
            await asyncio.gather(*(slow.send_head_slowly() for _ in range(HEADS)))
            trickling = asyncio.create_task(slow.trickle())
            during = await typical_seconds(place)
            place.user = "watcher"
            await slow.cut_off()
            await idle.cut_off()
            trickling.cancel()

        assert sum(b'"done"' in watcher.result() for watcher in watchers) == STREAMS
        bad = f"{IDLE} idle connections, {HEADS} slow heads, {BODIES} slow bodies and {STREAMS} streams"
        print(f"a call took {before * 1000:.1f} ms, and {during * 1000:.1f} ms among {bad}")
        assert during < SLOWER * before + NOTHING_SECONDS
        for _, writer in [*idle.connections, *slow.connections]:
            writer.close()


async def test_a_connection_too_many_is_told_so(crm: Crm, nursery: Nursery, tmp_path: Path) -> None:
    async with house(crm, nursery, tmp_path, MAX_CONNECTIONS="5") as place:
        clients = Clients(place)
        for _ in range(5):
            await clients.idle()

        address = urlsplit(place.process.url)
        for _ in range(3):
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
            writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 503 ")
            assert b"\r\nRetry-After: 1\r\n" in head and b"\r\nConnection: close\r\n" in head
            error = orjson.loads(body)["error"]
            assert error["code"] == "too_many_connections"
            assert f"X-Request-Id: {error['request_id']}".encode() in head
            writer.close()

        clients.connections[0][1].close()
        async with asyncio.timeout(PATIENCE):
            while await place.readiness() != (200, "ok"):
                pass
        for _, writer in clients.connections:
            writer.close()


LIST = b"GET /v1/tools/list HTTP/1.1\r\nHost: localhost\r\nAuthorization: %s\r\n\r\n"


async def deaf(server: Server, requests: int) -> Connection:
    """Ask for much, on a connection with little room for answers."""
    address = urlsplit(server.url)
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.setblocking(False)
    await asyncio.get_running_loop().sock_connect(deaf, (address.hostname, address.port))
    reader, writer = await asyncio.open_connection(sock=deaf, limit=1024)
    writer.write(LIST % server.bearer()["Authorization"].encode() * requests)
    return reader, writer


async def test_a_client_that_does_not_read_is_cut_off(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_TAKING_SECONDS", 0.3)
    server = await start_server()
    reader, writer = await deaf(server, 200)
    async with asyncio.timeout(PATIENCE):
        await asyncio.sleep(1)
        answers = b""
        with suppress(ConnectionResetError):  # or its end, where all that was sent had still been taken
            while part := await reader.read(65536):
                answers += part
    assert answers.count(b"HTTP/1.1 200 OK") < 200
    writer.close()


async def test_a_client_that_reads_slowly_gets_everything(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_TAKING_SECONDS", 0.3)
    server = await start_server()
    reader, writer = await deaf(server, 30)
    answers = b""
    async with asyncio.timeout(PATIENCE):
        while answers.count(b"HTTP/1.1 200 OK") < 30 or not answers.endswith(b"}"):
            answers += await reader.read(65536)
            await asyncio.sleep(0.01)
    assert b'"count":12' in answers
    writer.close()
