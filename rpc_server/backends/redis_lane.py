"""One connection to Redis for all callers at once: requests go out as they come, answers come back in their order.

redis-py gives a connection to one caller at a time, through ten coroutines: 80 µs for the three commands that a call
needs. Here they are one write and one future: 8 µs. redis-py still opens the connection (addresses, TLS, logins), and
hiredis reads and writes Redis' protocol; there is nothing in between but who waits for which answer.
"""

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import hiredis
from redis.asyncio import ConnectionPool

from rpc_server.backends.patience import BUSY_SECONDS, MOST_TIMES

# A command's name and its arguments.
Command: TypeAlias = tuple[str | bytes | int | float, ...]


_packed: Callable[[Command], bytes] = hiredis.pack_command  # type: ignore[assignment] # whose stub takes one word


class _Due:
    """Answers that are waited for."""

    __slots__ = ("answered", "answers", "number", "since")

    def __init__(self, number: int, loop: asyncio.AbstractEventLoop) -> None:
        self.number = number
        self.since = loop.time()
        self.answers: list[Any] = []
        self.answered: asyncio.Future[list[Any]] = loop.create_future()


class Lane(asyncio.Protocol):
    """A connection; `open` makes one. It is lost for good when any answer takes too long."""

    def __init__(self, timeout_seconds: float, lost: Callable[[], None]) -> None:
        """*lost* is called once, when the connection is no more."""
        self._timeout = timeout_seconds
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader()
        self._due: deque[_Due] = deque()
        self._looking: asyncio.TimerHandle | None = None
        self._times = 0
        self._error: Exception = ConnectionError("the connection to Redis was lost")
        self._writer: asyncio.StreamWriter
        self._transport: asyncio.WriteTransport

    @classmethod
    async def open(cls, pool: ConnectionPool, timeout_seconds: float, lost: Callable[[], None]) -> "Lane":
        """Open a connection as *pool* would; raises what redis-py does."""
        connection = pool.make_connection()  # type: ignore[no-untyped-call]
        await connection.connect()
        lane = cls(timeout_seconds, lost)
        # redis-py has no other way to hand a connection over. Its writer would close it when it is forgotten.
        lane._writer = connection._writer  # noqa: SLF001
        connection._reader = connection._writer = None  # noqa: SLF001
        lane._transport = lane._writer.transport
        lane._transport.set_protocol(lane)
        return lane

    async def ask(self, commands: Sequence[Command]) -> list[Any]:
        """Return the answers to *commands*, which nobody else's come between; an error of Redis is one of them.

        Raises ConnectionError where the connection is lost, TimeoutError where no answer comes in time.
        """
        if self._transport.is_closing():
            raise self._error
        due = _Due(len(commands), self._loop)
        self._due.append(due)
        self._transport.write(b"".join([_packed(command) for command in commands]))
        if self._looking is None:
            self._look_after(self._timeout)
        return await due.answered

    def close(self) -> None:
        """Close the connection; who waits is told that it is lost."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Give answers to those who wait for them."""
        try:
            self._reader.feed(data)
            while (answer := self._reader.gets()) is not False:
                due = self._due[0]
                due.answers.append(answer)
                if len(due.answers) == due.number:
                    self._due.popleft()
                    if not due.answered.done():  # its caller may have been called off
                        due.answered.set_result(due.answers)
        except (hiredis.HiredisError, IndexError) as error:  # no Redis, or one that says more than it was asked
            self._fail(error)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell everybody who waits."""
        if self._looking is not None:
            self._looking.cancel()
        while self._due:
            due = self._due.popleft()
            if not due.answered.done():
                due.answered.set_exception(self._error)
        self._lost()

    def _look_after(self, seconds: float) -> None:
        when = self._loop.time() + seconds
        self._looking = self._loop.call_at(when, self._look, when, context=contextvars.Context())

    def _look(self, when: float) -> None:
        """Give the connection up where the oldest answer is overdue, and this process was not too busy to see it."""
        self._looking = None
        if not self._due:
            self._times = 0
            return
        now = self._loop.time()
        left = self._due[0].since + self._timeout - now
        if left > 0:
            self._times = 0
            self._look_after(left)
        elif now - when > BUSY_SECONDS and self._times < MOST_TIMES:
            self._times += 1
            self._look_after(self._timeout)
        else:
            self._fail(TimeoutError())

    def _fail(self, error: Exception) -> None:
        self._error = error
        self._transport.abort()
