"""A proxy that sends each request to the next server, whoever asks: no server can count on seeing a client again."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import cycle

from aiohttp import ClientConnectionError, ClientSession, ClientTimeout, web

_OF_ONE_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive", "host"}


@dataclass(frozen=True, slots=True)
class Passed:
    """A request that came by: which server got it, and what its headers say."""

    server: int
    authorization: str
    version: str | None
    status: int


@dataclass(slots=True)
class RoundRobin:
    """The proxy's address, and what came by."""

    url: str = ""
    passed: list[Passed] = field(default_factory=list)


@asynccontextmanager
async def taking_turns(servers: Sequence[str], *, host: str | None = None, port: int = 0) -> AsyncIterator[RoundRobin]:
    """Stand before *servers* (their addresses); what they send is passed on as it comes.

    With *host* they see that name as Host, as behind a proxy that has a name for them; else the client's.
    """
    turn = cycle(enumerate(servers))
    seen = RoundRobin()

    async def forward(request: web.Request) -> web.StreamResponse:
        number, server = next(turn)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _OF_ONE_HOP}
        headers["Host"] = host or request.host
        body = await request.read()
        async with session.request(request.method, f"{server}{request.path_qs}", data=body, headers=headers) as answer:
            version = request.headers.get("MCP-Protocol-Version")
            seen.passed.append(Passed(number, request.headers.get("Authorization", ""), version, answer.status))
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _OF_ONE_HOP}
            response = web.StreamResponse(status=answer.status, headers=kept)
            with suppress(ConnectionError, ClientConnectionError):  # either of the two has gone: so does the other
                await response.prepare(request)
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
            return response

    app = web.Application(client_max_size=2**24)
    app.router.add_route("*", "/{path:.*}", forward)
    # So that a client's going away is one for the server too, as a 2026-07-28 server has to notice.
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
    async with ClientSession(auto_decompress=False, timeout=ClientTimeout(total=None)) as session:
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
            seen.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield seen
        finally:
            await runner.cleanup()
