"""The open connections to PostgreSQL, and which of them are free.

In place of asyncpg's pool, which makes a task, a proxy and two timers each time a connection comes and goes: who
asks here has been let in before, so nothing is waited for but a new connection.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from rpc_server.backends.postgres_connection import Connection

# What nobody has needed for so long is closed.
_IDLE_SECONDS: Final = 300.0


class Connections:
    """The one used last is used next, so that those that are too many rest until they are closed."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]]) -> None:
        self._connect = connect
        self._open: set[Connection] = set()
        # With the moment since when; the longest free one first.
        self._free: list[tuple[float, Connection]] = []
        self._tidying: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """Return how many are open."""
        return len(self._open)

    def take(self) -> Connection | None:
        """Take a free connection; None: there is none."""
        while self._free:
            _, connection = self._free.pop()
            if not connection.is_closed():
                return connection
        return None

    async def take_new(self) -> Connection:
        """Open another connection; raises what `Connector.connect` does."""
        connection = await self._connect()
        self._open.add(connection)
        connection.add_termination_listener(self._open.discard)
        return connection

    def put_back(self, connection: Connection) -> None:
        """Have a connection free for others, unless it is closed; one that is not done is ended."""
        if connection.is_closed():
            return
        if connection.is_in_transaction() and not connection.is_left:
            connection.terminate()
            return
        self._free.append((asyncio.get_running_loop().time(), connection))
        if self._tidying is None:
            self._tidy_later()

    def has_left(self, before: float) -> bool:
        """Tell whether any is free since *before* whose transaction is still open."""
        return any(connection.is_left and since <= before for since, connection in self._free)

    def take_left(self, before: float) -> Connection | None:
        """Take one of them, whose transaction is to be ended."""
        for place, (since, connection) in enumerate(self._free):
            if connection.is_left and since <= before:
                del self._free[place]
                connection.is_left = False
                return connection
        return None

    async def close(self) -> None:
        """Close all that are free, politely."""
        free, self._free = self._free, []
        await asyncio.gather(*(connection.close() for _, connection in free), return_exceptions=True)

    def terminate(self) -> None:
        """End all connections at once, whoever waits for an answer on them."""
        self._free.clear()
        if self._tidying is not None:
            self._tidying.cancel()
            self._tidying = None
        for connection in list(self._open):
            connection.terminate()

    def _tidy_later(self) -> None:
        self._tidying = asyncio.get_running_loop().call_later(_IDLE_SECONDS / 10, self._tidy)

    def _tidy(self) -> None:
        """End what has been free for long; a server is not surprised by one that says no good-bye."""
        self._tidying = None
        long_ago = asyncio.get_running_loop().time() - _IDLE_SECONDS
        while self._free and self._free[0][0] < long_ago:
            self._free.pop(0)[1].terminate()
        if self._free:
            self._tidy_later()
