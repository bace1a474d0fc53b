"""A JSON answer that is written in one piece, head and body; nearly every answer is one."""

from math import ceil
from typing import Final

from aiohttp import ClientConnectionResetError, HttpVersion11, hdrs, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.helpers import rfc822_formatted_time

from rpc_server.contract.limit import Decision

SERVER_NAME = "crm-mcp"  # aiohttp would name itself and Python, with their versions
_HEAD: Final = (
    "HTTP/1.1 %d %s\r\n%s%sContent-Type: application/json\r\nContent-Length: %d\r\n"
    f"X-Request-Id: %s\r\nServer: {SERVER_NAME}\r\nDate: %s\r\n\r\n"
)
_LIMIT: Final = "RateLimit-Limit: %d\r\nRateLimit-Remaining: %d\r\nRateLimit-Reset: %d\r\n"


class WholeResponse(web.StreamResponse):
    """JSON, with what a caller should know of its limit, and with what is put into `headers`.

    It costs a third of what web.Response does, which looks for all that an answer might be. aiohttp's signal
    `on_response_prepare` is not sent: what it would do, `ring` does.
    """

    def __init__(self, body: bytes, limit: Decision | None = None, *, status: int = 200, request_id: str = "") -> None:
        """*request_id* is a sane one, and is there before the answer is sent."""
        super().__init__(status=status)
        self.body: Final = body
        self.request_id = request_id
        self._limit = limit

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Write all of it; raises ConnectionError where the client is gone."""
        if self._eof_sent:
            return None
        self._keep_alive = self._keep_alive is not False and request.version == HttpVersion11 and request.keep_alive
        transport = request.transport
        if transport is None or transport.is_closing():
            raise ClientConnectionResetError("Cannot write to closing transport")
        transport.write(self._head().encode() + self.body)
        self._eof_sent = True
        if request.protocol.writing_paused:
            await request.writer.drain()
        return None

    def _head(self) -> str:
        limit = self._limit
        return _HEAD % (
            self.status,
            self.reason,
            _LIMIT % (limit.limit, limit.remaining, max(0, ceil(limit.reset_seconds))) if limit else "",
            self._further() if self._headers or not self._keep_alive else "",
            len(self.body),
            self.request_id,
            rfc822_formatted_time(),
        )

    def _further(self) -> str:
        """Return what seldom stands in a head; raises ValueError for a value that would end its line."""
        if not self._keep_alive:
            self.headers[hdrs.CONNECTION] = "close"
        lines = [f"{name}: {value}" for name, value in self.headers.items()]
        if any("\r" in line or "\n" in line for line in lines):
            raise ValueError("a header may not hold the end of a line")
        return "".join([f"{line}\r\n" for line in lines])
