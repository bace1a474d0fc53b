"""The server that the application runs on: aiohttp's, with connections of our own and an end in good order."""

import asyncio
from typing import Any

from aiohttp import web

from rpc_server.settings import Settings
from rpc_server.transport.body import SETTINGS
from rpc_server.transport.connection import Connection, Turned
from rpc_server.transport.expectations import without_odd_expectations
from rpc_server.transport.lifecycle import LIFECYCLE
from rpc_server.transport.repeats import REPEATS

# What has not ended by itself, nor when it was told to, is cut off after this.
_CUT_SECONDS = 1.0


class Runner(web.AppRunner):
    """Runs an application as web.AppRunner does, on connections that wait for no one and quote nothing."""

    def __init__(self, app: web.Application, **options: Any) -> None:
        seconds = app[SETTINGS].keep_alive_seconds
        super().__init__(app, **{"keepalive_timeout": seconds, "shutdown_timeout": _CUT_SECONDS, **options})

    async def cleanup(self) -> None:
        """Stop: be not ready, take nothing new, let what runs end, and only then close connections.

        aiohttp would first stop reading from connections, and with that cut off requests on their way.
        """
        lifecycle = self.app[LIFECYCLE]
        if self.sites:
            await lifecycle.leave()
        for site in list(self.sites):
            await site.stop()
        await asyncio.sleep(0)  # what has just been accepted gets its answer
        await lifecycle.drain()
        await super().cleanup()

    async def _make_server(self) -> web.Server:
        plain, repeats = await super()._make_server(), self.app[REPEATS]
        return _Server(
            self.app[SETTINGS],
            repeats.before(plain.request_handler) if repeats else plain.request_handler,
            request_factory=without_odd_expectations(plain.request_factory),
            handler_cancellation=plain.handler_cancellation,
            **plain._kwargs,  # noqa: SLF001 - aiohttp has no other way to choose the connection's class
        )


class _Server(web.Server):
    def __init__(self, settings: Settings, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._head_seconds = settings.body_seconds
        self._max_connections = settings.max_connections

    def __call__(self) -> web.RequestHandler:
        if len(self._connections) >= self._max_connections:
            return Turned()  # type: ignore[return-value] # nobody but the event loop talks to it
        return Connection(self._head_seconds, self, loop=self._loop, **self._kwargs)
