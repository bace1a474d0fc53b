"""A proxy before several servers, which sends again only what is safe to: what no server has begun to do.

A server gets requests while its `/ready` says 200, which is asked every tenth of a second; those that
are ready take turns. A request goes to another server only where the connection was refused, or where
the answer is 503 with the code `shutting_down`: in both cases no call has begun. Whatever else goes
wrong, such as a connection that breaks after the request was sent, goes back to the client as 502.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import orjson
from aiohttp import (
    ClientConnectionError,
    ClientConnectorError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    TCPConnector,
    web,
)

_EVERY_SECONDS = 0.1
# Until a server has begun to answer; half of what clients have.
_PATIENCE = 30.0
_OF_ONE_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive", "host"}


class Balancer:
    """Stands before *servers*, their addresses."""

    def __init__(self, servers: Sequence[str], session: ClientSession) -> None:
        self.url = ""
        self.ready: set[str] = set()
        # Why requests were sent again, and how many.
        self.again: Counter[str] = Counter()
        # What clients got 502 for.
        self.broken: Counter[str] = Counter()
        self._servers = servers
        self._session = session
        self._turns = 0

    async def watch(self, server: str) -> None:
        """Learn from the server's own word whether it is ready."""
        while True:
            try:
                async with self._session.get(f"{server}/ready", timeout=ClientTimeout(2)) as answer:
                    is_ready = answer.status == 200
            except (ClientError, OSError, TimeoutError):
                is_ready = False
            (self.ready.add if is_ready else self.ready.discard)(server)
            await asyncio.sleep(_EVERY_SECONDS)

    async def forward(self, request: web.Request) -> web.StreamResponse:
        """Send a request to one server after the other until one has taken it."""
        try:
            async with asyncio.timeout(_PATIENCE) as patience:
                return await self._taken(request, await request.read(), patience)
        except (ClientError, OSError) as error:  # a TimeoutError is one, too
            self.broken[type(error).__name__] += 1
            return web.Response(status=502, body=b'{"error":{"code":"bad_gateway"}}')

    async def _taken(self, request: web.Request, body: bytes, patience: asyncio.Timeout) -> web.StreamResponse:
        while True:
            server = await self._next()
            try:
                taken = await self._send(request, server, body, patience)
            except ClientConnectorError:
                self.again["refused"] += 1
            else:
                if taken is not None:
                    return taken
                self.again["shutting_down"] += 1
            self.ready.discard(server)

    async def _next(self) -> str:
        while not (ready := [server for server in self._servers if server in self.ready]):  # noqa: ASYNC110
            await asyncio.sleep(_EVERY_SECONDS / 10)
        self._turns += 1
        return ready[self._turns % len(ready)]

    async def _send(
        self, request: web.Request, server: str, body: bytes, patience: asyncio.Timeout
    ) -> web.StreamResponse | None:
        """Return what the server answered; None where it did not take the request."""
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _OF_ONE_HOP}
        headers["Host"] = "localhost"
        url = f"{server}{request.path_qs}"
        async with self._session.request(request.method, url, data=body, headers=headers) as answer:
            if answer.status == 503 and await _says_shutting_down(answer):
                return None
            patience.reschedule(None)
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _OF_ONE_HOP}
            response = web.StreamResponse(status=answer.status, headers=kept)
            with suppress(ConnectionError, ClientConnectionError):
                await response.prepare(request)
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
            return response


async def _says_shutting_down(answer: ClientResponse) -> bool:
    code: str = orjson.loads(await answer.read())["error"]["code"]
    return code == "shutting_down"


@asynccontextmanager
async def balancing(servers: Sequence[str]) -> AsyncIterator[Balancer]:
    """Stand before *servers* while the block runs."""
    async with (
        ClientSession(connector=TCPConnector(limit=0), timeout=ClientTimeout(None), auto_decompress=False) as session,
        asyncio.TaskGroup() as watchers,
    ):
        balancer = Balancer(servers, session)
        watching = [watchers.create_task(balancer.watch(server)) for server in servers]
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{path:.*}", balancer.forward)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, keepalive_timeout=60)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            balancer.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield balancer
        finally:
            for task in watching:
                task.cancel()
            await runner.cleanup()
