"""A time limit for somebody else, in which this process's own slowness does not count."""

import asyncio
from types import TracebackType

# A timer that is so late shows that nobody has looked at the answers meanwhile; but not for ever.
BUSY_SECONDS = 0.02
MOST_TIMES = 8


class Patience:
    """Raises TimeoutError out of its block after *seconds*; where the event loop was busy then, it waits anew."""

    __slots__ = ("_limit", "_seconds", "_timer", "_times")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._times = 0

    async def __aenter__(self) -> None:
        """Begin to wait."""
        self._limit = asyncio.timeout(None)
        await self._limit.__aenter__()
        self._wait()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop waiting."""
        self._timer.cancel()
        await self._limit.__aexit__(kind, error, trace)

    def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + self._seconds
        self._timer = loop.call_at(due, self._judge, due)

    def _judge(self, due: float) -> None:
        now = asyncio.get_running_loop().time()
        self._times += 1
        if now - due > BUSY_SECONDS and self._times < MOST_TIMES:
            self._wait()
        else:
            self._limit.reschedule(now)
