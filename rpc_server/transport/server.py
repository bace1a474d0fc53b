"""The server that the application runs on: aiohttp's, with connections of our own."""

from typing import Any

from aiohttp import web

from rpc_server.transport.body import SETTINGS
from rpc_server.transport.connection import Connection


class Runner(web.AppRunner):
    """Runs an application as web.AppRunner does, on connections that wait for no one and quote nothing."""

    async def _make_server(self) -> web.Server:
        plain = await super()._make_server()
        return _Server(
            self.app[SETTINGS].body_seconds,
            plain.request_handler,
            request_factory=plain.request_factory,
            handler_cancellation=plain.handler_cancellation,
            **plain._kwargs,  # noqa: SLF001 - aiohttp has no other way to choose the connection's class
        )


class _Server(web.Server):
    def __init__(self, head_seconds: float, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._head_seconds = head_seconds

    def __call__(self) -> web.RequestHandler:
        return Connection(self._head_seconds, self, loop=self._loop, **self._kwargs)
