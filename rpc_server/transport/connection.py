"""A connection of the server: closed unless it soon brings a request, and known to those who work only for it."""

import asyncio
from typing import Any, cast

import structlog
from aiohttp import hdrs, web
from aiohttp.http_exceptions import ContentEncodingError, HttpProcessingError, LineTooLong

from rpc_server.transport.answers import refusal
from rpc_server.transport.request_ids import new_id
from rpc_server.transport.whole import SERVER_NAME

logger = structlog.get_logger("http")

# A client that takes nothing of what is sent to it for so long is gone, or worse.
_TAKING_SECONDS = 20.0
# Who is turned away may read why for so long.
_TURNED_SECONDS = 1.0


class Connection(web.RequestHandler):
    """A connection that is closed unless it soon brings a request, and that never quotes what it could not read.

    aiohttp would wait for ever for the first request's head, and for whoever does not read an answer;
    and what it cannot read it would send back as plain text and write to the log, be it a token.
    """

    __slots__ = ("_head_seconds", "_taking", "_waiting", "headers_before", "stops")

    def __init__(self, head_seconds: float, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._head_seconds = head_seconds
        self._waiting: asyncio.TimerHandle | None = None
        self._taking: asyncio.TimerHandle | None = None
        self.stops: asyncio.Task[Any] | None = None
        # What the last request said in its headers, and what somebody has made of that.
        self.headers_before: tuple[Any, bytes] = ((), b"")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for the first request; between requests aiohttp's keep-alive time counts."""
        super().connection_made(transport)
        assert self.transport is not None
        # So that we are told of every byte that the client does not take, be it the last of an answer.
        self.transport.set_write_buffer_limits(high=0)
        self._waiting = self._loop.call_later(self._head_seconds, self._end_unless_asked)

    def _end_unless_asked(self) -> None:
        """Wait no longer, unless a request has come, or what cannot become one."""
        self._waiting = None
        if not self._request_count:
            self.force_close()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Stop waiting, and stop what was only done for whoever is gone."""
        if self._waiting is not None:
            self._waiting.cancel()
        if self._taking is not None:
            self._taking.cancel()
        if self.stops is not None:
            self.stops.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Begin to wait for the client to take what was sent to it."""
        super().pause_writing()
        if self.transport is not None:
            self._await_taking(self.transport, self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """Stop waiting: the client has taken it."""
        super().resume_writing()
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None

    def _await_taking(self, transport: asyncio.WriteTransport, left: int) -> None:
        """End the connection unless some of the *left* bytes are taken in time."""

        def check() -> None:
            if transport.get_write_buffer_size() >= left:
                transport.abort()
            else:
                self._await_taking(transport, transport.get_write_buffer_size())

        self._taking = self._loop.call_later(_TAKING_SECONDS, check)

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
        request_id = new_id()
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


class stopped_when_gone:  # noqa: N801 - a context, which takes a third of the time of a generator's
    """Cancel the handler of *request* as soon as its client closes the connection, or has done so before."""

    __slots__ = ("_connection",)

    def __init__(self, request: web.Request) -> None:
        connection, task = request.protocol, asyncio.current_task()
        assert isinstance(connection, Connection)
        assert task is not None
        if request.transport is None:
            task.cancel()
        self._connection = connection
        connection.stops = task

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, *exception: object) -> None:
        """Leave the handler alone."""
        self._connection.stops = None


class Turned(asyncio.Protocol):
    """A connection too many: it is told so, whatever it asks for, and closed."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say so; closing right away would take the answer along, if there is something unread."""
        peer = cast("asyncio.Transport", transport)
        request_id = new_id()
        body = refusal(503, request_id).body
        assert isinstance(body, bytes)
        head = (
            "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\n"
            f"Retry-After: 1\r\nServer: {SERVER_NAME}\r\nX-Request-Id: {request_id}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        peer.write(head.encode() + body)
        peer.write_eof()
        self._ending = asyncio.get_running_loop().call_later(_TURNED_SECONDS, peer.abort)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Be done."""
        self._ending.cancel()


def _status_of(error: BaseException | None) -> int:
    match error:
        case ContentEncodingError():
            return 415
        case LineTooLong():
            return 431
        case _:
            return 400
