"""A connection of the server: closed unless it soon brings a request, and known to those who work only for it."""

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from aiohttp import hdrs, web
from aiohttp.http_exceptions import ContentEncodingError, HttpProcessingError, LineTooLong

from rpc_server.transport.answers import refusal
from rpc_server.transport.middleware import SERVER_NAME

logger = structlog.get_logger("http")


@contextmanager
def stopped_when_gone(request: web.Request) -> Iterator[None]:
    """Cancel the handler of *request* as soon as its client closes the connection, or has done so before."""
    connection = request.protocol
    assert isinstance(connection, Connection)
    task = asyncio.current_task()
    assert task is not None
    if request.transport is None:
        task.cancel()
    connection.stops = task
    try:
        yield
    finally:
        connection.stops = None


class Connection(web.RequestHandler):
    """A connection that is closed unless it soon brings a request, and that never quotes what it could not read.

    aiohttp would wait for ever for the first request's head; and what it cannot read it would send
    back as plain text and write to the log, be it a token.
    """

    __slots__ = ("_head_seconds", "_waiting", "stops")

    def __init__(self, head_seconds: float, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._head_seconds = head_seconds
        self._waiting: asyncio.TimerHandle | None = None
        self.stops: asyncio.Task[Any] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for the first request; between requests aiohttp's keep-alive time counts."""
        super().connection_made(transport)
        self._waiting = self._loop.call_later(self._head_seconds, self.force_close)

    def data_received(self, data: bytes) -> None:
        """Stop waiting once a request has come, or what cannot become one."""
        super().data_received(data)
        if self._waiting is not None and self._request_count:
            self._waiting.cancel()
            self._waiting = None

    def connection_lost(self, exc: BaseException | None) -> None:
        """Stop waiting, and stop what was only done for whoever is gone."""
        if self._waiting is not None:
            self._waiting.cancel()
        if self.stops is not None:
            self.stops.cancel()
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer bytes that are no request of HTTP; they are told from faults of our own by their status."""
        if status != 400:
            return super().handle_error(request, status, exc, message)
        self.log_exception(exc_info=exc)
        request_id = secrets.token_hex(16)
        response = refusal(_status_of(exc), request_id)
        response.headers["X-Request-Id"] = request_id
        response.headers[hdrs.SERVER] = SERVER_NAME
        response.force_close()
        return response

    def log_exception(self, *args: Any, exc_info: BaseException | None = None, **_: Any) -> None:
        """Log what went wrong outside a request; what could not be read, by its kind only."""
        unread = isinstance(exc_info, HttpProcessingError | web.RequestPayloadError)
        if unread:
            logger.info("unreadable request", error=type(exc_info).__name__)
        else:
            logger.error("connection failed", exc_info=exc_info)


def _status_of(error: BaseException | None) -> int:
    match error:
        case ContentEncodingError():
            return 415
        case LineTooLong():
            return 431
        case _:
            return 400
