"""From the first request to the last: who is let in while the server stops, and who is waited for."""

import asyncio
from collections.abc import Callable
from enum import IntEnum

import structlog
from aiohttp import hdrs, web

from rpc_server.contract.errors import ShuttingDown
from rpc_server.transport.answers import tool_error_response
from rpc_server.transport.middleware import PUBLIC_PATHS, REQUEST_ID

logger = structlog.get_logger("lifecycle")

# Once told to stop, whatever still runs has this long to say so to its client.
_FAREWELL_SECONDS = 5.0
_LOOK_SECONDS = 0.02


class Stage(IntEnum):
    """How far a server is."""

    SERVING = 0
    LEAVING = 1  # not ready any more, but who comes is served
    DRAINING = 2  # no new calls
    STOPPING = 3  # running calls are told to end


class Lifecycle:
    """How far the server is, and which requests are under way.

    *at_drain* is called when no new calls come any more, *at_stop* when those that run have had
    *drain_seconds*. For *grace_seconds* before that the server is not ready and serves all the same,
    so that whoever spreads calls over servers notices.
    """

    def __init__(
        self,
        *,
        grace_seconds: float,
        drain_seconds: float,
        at_drain: Callable[[], None] = lambda: None,
        at_stop: Callable[[], None] = lambda: None,
    ) -> None:
        self.stage = Stage.SERVING
        self._grace_seconds = grace_seconds
        self._drain_seconds = drain_seconds
        self._at_drain = at_drain
        self._at_stop = at_stop
        self._running: dict[int, web.Request] = {}  # a request has no hash

    @property
    def is_ready(self) -> bool:
        """Tell whether the server may be sent calls."""
        return self.stage is Stage.SERVING

    @property
    def waited_for(self) -> int:
        """Return how many requests are under way whose clients are there."""
        return sum(request.transport is not None for request in self._running.values())

    async def leave(self) -> None:
        """Be not ready for the time of grace."""
        self.stage = max(self.stage, Stage.LEAVING)
        if self._grace_seconds:
            logger.info("leaving", seconds=self._grace_seconds)
            await asyncio.sleep(self._grace_seconds)

    async def drain(self) -> None:
        """Let running requests end, and after a while tell them to."""
        if self.stage >= Stage.DRAINING:
            return
        self.stage = Stage.DRAINING
        self._at_drain()
        logger.info("draining", requests=self.waited_for)
        if not await self._ended(self._drain_seconds):
            logger.warning("stopping what still runs", requests=self.waited_for)
        self.stage = Stage.STOPPING
        self._at_stop()
        await self._ended(_FAREWELL_SECONDS)

    def admit(self, request: web.Request) -> web.StreamResponse | None:
        """Refuse new calls while the server drains; those that run can still be watched and called off."""
        if self.stage >= Stage.DRAINING and _begins_something(request):
            return tool_error_response(ShuttingDown(), request[REQUEST_ID])
        return None

    def begin(self, request: web.Request) -> None:
        """Wait for the end of *request* before the server stops."""
        self._running[id(request)] = request

    def end(self, request: web.Request) -> None:
        """Wait for it no longer."""
        del self._running[id(request)]

    def part(self, request: web.Request, response: web.StreamResponse) -> None:
        """Have the client close its connection after this answer, once the server is not ready any more."""
        if not self.is_ready:
            response.headers[hdrs.CONNECTION] = "close"
            response.force_close()

    async def _ended(self, seconds: float) -> bool:
        """Wait until nobody waits for an answer any more; who has gone away does not count."""
        try:
            async with asyncio.timeout(seconds):
                while self.waited_for:  # noqa: ASYNC110 - a client that goes away sets no event
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError:
            return False
        return True


LIFECYCLE = web.AppKey("lifecycle", Lifecycle)


def _begins_something(request: web.Request) -> bool:
    return request.path not in PUBLIC_PATHS and (request.method == "POST" or request.path.endswith("/stream"))
