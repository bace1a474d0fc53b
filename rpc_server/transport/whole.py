"""An answer in one piece, head and body, for those who are answered often."""

from math import ceil
from typing import Final

from aiohttp import ClientConnectionResetError, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.helpers import rfc822_formatted_time

from rpc_server.contract.limit import Decision
from rpc_server.transport.middleware import SERVER_NAME

_HEAD: Final = (
    "HTTP/1.1 200 OK\r\n%sContent-Type: application/json\r\nContent-Length: %d\r\nX-Request-Id: %s\r\n"
    f"Server: {SERVER_NAME}\r\nDate: %s\r\n\r\n"
)
_LIMIT: Final = "RateLimit-Limit: %d\r\nRateLimit-Remaining: %d\r\nRateLimit-Reset: %d\r\n"


class WholeResponse(web.StreamResponse):
    """An answer of status 200 that is JSON, to a request of HTTP/1.1 whose connection stays open.

    It costs a third of what web.Response does, which looks for what may be there besides.
    """

    def __init__(self, body: bytes, limit: Decision | None, request_id: str) -> None:
        """*request_id* is a sane one: it is written as it is."""
        super().__init__()
        left = _LIMIT % (limit.limit, limit.remaining, max(0, ceil(limit.reset_seconds))) if limit else ""
        self._whole = (_HEAD % (left, len(body), request_id, rfc822_formatted_time())).encode() + body

    @property
    def keep_alive(self) -> bool:
        """Keep the connection."""
        return True

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Write all of it; raises ConnectionError where the client is gone."""
        transport = request.transport
        if transport is None or transport.is_closing():
            raise ClientConnectionResetError("Cannot write to closing transport")
        transport.write(self._whole)
        self._eof_sent = True
        if request.protocol.writing_paused:
            await request.writer.drain()
        return None
