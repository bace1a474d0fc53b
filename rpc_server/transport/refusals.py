"""Refused tokens, told to whoever runs the server: each is counted, and the log is not flooded."""

import time
from collections.abc import Callable, Sequence

import structlog
from aiohttp import web

from rpc_server.transport.client_address import Network, client_address

LINES = 60
SECONDS = 60.0

logger = structlog.get_logger("http")


class Refusals:
    """Writes a line for a refused token, but at most 60 a minute; the next line says how many were left out."""

    def __init__(
        self,
        trusted: Sequence[Network] = (),
        *,
        count: Callable[[str], None] = lambda fault: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """*trusted* are the proxies in front; *count* is told the fault of each refusal, one of a closed set."""
        self._trusted = trusted
        self._count = count
        self._clock = clock
        self._begun = float("-inf")
        self._lines = 0
        self._left_out = 0

    def note(self, request: web.Request, request_id: str, reason: str, fault: str) -> None:
        """Take note of a request without a caller."""
        self._count(fault)
        now = self._clock()
        if now >= self._begun + SECONDS:
            self._begun, self._lines = now, 0
        if self._lines >= LINES:
            self._left_out += 1
            return
        self._lines += 1
        told = {"left_out": self._left_out} if self._left_out else {}
        self._left_out = 0
        client = client_address(request, self._trusted)
        logger.info("unauthenticated", reason=reason, client=client, request_id=request_id, **told)
