"""Connections to PostgreSQL: so many and no more, never waited for longer than is said, and none lost."""

import asyncio
import contextvars
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Self

import asyncpg
import structlog

from rpc_server.backends.postgres_connection import UNREACHABLE, Connection, Connector, Pooler
from rpc_server.backends.postgres_connections import Connections
from rpc_server.backends.postgres_watch import Watch
from rpc_server.contract.errors import DependencyUnavailable

logger = structlog.get_logger("postgres")

Standing = Literal["ok", "no_free_connection", "unavailable"]

_ROLLBACK_SECONDS = 5.0
_CLOSING_SECONDS = 5.0
# So long a transaction that has only read may stay open for the next one to end it.
_LEFT_SECONDS = 0.02
# An answer as fresh as this need not be asked for again.
_FRESH_SECONDS = 1.0
# "Lately" is this part of the patience.
_LATELY = 5
_NONE_FREE = "has no free connection at the moment"
# What the server needs: an answer, and the right to take its role.
_PROBE = "begin read only; set local role mcp_reader; select 1; rollback"


@dataclass(frozen=True, slots=True)
class PoolFigures:
    """How it goes: now, and (*waits*, *waited_seconds*, *refused*) since the start."""

    size: int
    connected: int
    in_use: int
    waiting: int
    is_down: bool
    waits: int
    waited_seconds: float
    refused: int


class PostgresPool:
    """At most *size* connections; a caller waits at most *acquire_seconds* for one, and as long for its first answer.

    *pooler* says what stands between (see Connector). Raises DependencyUnavailable, at once while
    PostgreSQL is known to be down.
    """

    def __init__(self, url: str, *, size: int, acquire_seconds: float, pooler: Pooler = "auto") -> None:
        self._url = url
        self._size = size
        self._acquire_seconds = acquire_seconds
        self._pooler = pooler
        self._rollback_seconds = min(acquire_seconds, _ROLLBACK_SECONDS)
        self._lent: set[Connection] = set()
        self._slots = asyncio.Semaphore(size)
        self._waiting = 0
        self._waits = 0
        self._waited_seconds = 0.0
        self._refused = 0
        self._ending: asyncio.TimerHandle | asyncio.Task[None] | None = None
        # PostgreSQL takes no more connections, from whomever.
        self._is_full = False

    async def __aenter__(self) -> Self:
        """Get ready; PostgreSQL itself may still be down."""
        self._connector = Connector(self._url, seconds=self._acquire_seconds, pooler=self._pooler)
        self._watch = Watch(self._probe, patience=self._acquire_seconds, give_up=self._give_up)
        self._connections = Connections(self._connector.connect)
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Close all connections, those that are still used after a while."""
        await self._watch.stop()
        if self._ending is not None:
            self._ending.cancel()
        try:
            async with asyncio.timeout(_CLOSING_SECONDS):
                for _ in range(self._size):
                    await self._slots.acquire()
                await self._connections.close()
        except TimeoutError:
            logger.warning("connections cut", number=len(self._lent))
        finally:
            self._connections.terminate()

    @property
    def figures(self) -> PoolFigures:
        """Return the pool's figures."""
        return PoolFigures(
            size=self._size,
            connected=len(self._connections),
            in_use=len(self._lent),
            waiting=self._waiting,
            is_down=self._watch.is_down,
            waits=self._waits,
            waited_seconds=self._waited_seconds,
            refused=self._refused,
        )

    async def standing(self) -> Standing:
        """Tell whether calls can be served now; it takes no connection of the pool, so a full one says so."""
        is_known = self._watch.silence < _FRESH_SECONDS and not self._is_full
        if self._watch.is_down or (not is_known and not await self._watch.ask()):
            return "unavailable"
        if self._is_full:
            return "no_free_connection" if len(self._connections) else "unavailable"
        return "no_free_connection" if self._waiting else "ok"

    async def acquire(self, seconds: float) -> Connection:
        """Take a connection within *seconds*, or raise DependencyUnavailable."""
        if self._watch.is_down:
            raise self._refusal("cannot be reached")
        until = asyncio.get_running_loop().time() + min(seconds, self._acquire_seconds)
        await self._take_slot(until)
        try:
            return await self._take_connection(until)
        except BaseException:
            self._slots.release()
            raise

    async def give_back(self, connection: Connection, statement: str) -> None:
        """End the transaction, unless it has ended (""), and let others have the connection."""
        try:
            if self._watch.is_down:
                self.drop(connection)
            elif statement and not connection.is_closed():
                await connection.execute(statement, timeout=self._rollback_seconds)
        except BaseException as error:  # whatever it was, this connection is not to be used again
            logger.warning("connection dropped", error=type(error).__name__)
            self.drop(connection)
            if not isinstance(error, Exception):  # the caller was called off in this very moment
                raise
        finally:
            self._lent.discard(connection)
            self._connections.put_back(connection)
            self._slots.release()

    def leave(self, connection: Connection) -> bool:
        """Let others have the connection as it is, whose transaction has only read; False where that cannot be.

        It ends in the same round trip in which the next one is opened, or after a few milliseconds: a round trip is
        what a call costs most. Not behind a pooler, which could give the backend to somebody else meanwhile.
        """
        is_direct = self._pooler == "auto" and not self._connector.is_pooled
        if not is_direct or self._watch.is_down or connection.is_closed():
            return False
        connection.is_left = connection.is_in_transaction()
        self._lent.discard(connection)
        self._connections.put_back(connection)
        self._slots.release()
        if connection.is_left and self._ending is None:
            self._end_left_later()
        return True

    @property
    def has_answered_lately(self) -> bool:
        """Tell whether an opening needs no time-out of its own: whoever is silent by now fell silent just now."""
        return self._watch.silence < self._acquire_seconds / _LATELY

    def awaited(self) -> AbstractContextManager[None]:
        """Return a context in which PostgreSQL is to answer; it is probed when that takes long."""
        return self._watch.awaited()

    def suspect(self) -> None:
        """Have PostgreSQL probed, because a connection was lost."""
        self._watch.suspect()

    async def open(self, connection: Connection, opening: str) -> None:
        """Run what opens a transaction; there is nothing in it that a healthy PostgreSQL would take time for."""
        try:
            if connection.is_left:
                opening, connection.is_left = f"rollback;{opening}", False
            with self.awaited():
                await connection.execute(opening, timeout=self._acquire_seconds)
        except TimeoutError as error:
            self._watch.suspect()
            self.drop(connection)
            # A pooler lets a transaction wait until it has a connection for it.
            waits = self._connector.is_pooled
            raise self._refusal(_NONE_FREE if waits else "does not answer") from error

    def _end_left_later(self) -> None:
        loop = asyncio.get_running_loop()

        def begin() -> None:
            # Of no call in particular, be it one that left the first of them.
            self._ending = loop.create_task(self._end_left(), name="rollbacks", context=contextvars.Context())

        self._ending = loop.call_later(_LEFT_SECONDS, begin, context=contextvars.Context())

    async def _end_left(self) -> None:
        """End the transactions that nobody's next one has ended meanwhile."""
        long_ago = asyncio.get_running_loop().time() - _LEFT_SECONDS
        while self._connections.has_left(long_ago):
            await self._slots.acquire()
            connection = self._connections.take_left(long_ago)
            if connection is None:  # taken by a caller meanwhile
                self._slots.release()
                break
            self._lent.add(connection)
            await self.give_back(connection, "rollback")
        self._ending = None
        if self._connections.has_left(float("inf")):
            self._end_left_later()

    @staticmethod
    def drop(connection: Connection) -> None:
        """End a connection at once; it still has to be given back."""
        connection.terminate()

    async def _take_slot(self, until: float) -> None:
        """Wait for one of the connections to be free."""
        if not self._slots.locked():
            await self._slots.acquire()
            return
        loop = asyncio.get_running_loop()
        began = loop.time()
        self._waiting += 1
        self._waits += 1
        try:
            async with asyncio.timeout_at(until):
                await self._slots.acquire()
        except TimeoutError:
            raise self._refusal(_NONE_FREE) from None
        finally:
            self._waiting -= 1
            self._waited_seconds += loop.time() - began

    async def _take_connection(self, until: float) -> Connection:
        """Take a free connection, or open one where there is none."""
        if self._watch.is_down:  # by now
            raise self._refusal("cannot be reached")
        connection = self._connections.take()
        try:
            if connection is None:
                async with asyncio.timeout_at(until):
                    connection = await self._connections.take_new()
        except asyncpg.TooManyConnectionsError:
            self._is_full = True
            raise self._refusal(_NONE_FREE) from None
        except (*UNREACHABLE, asyncpg.InterfaceError, TimeoutError) as error:
            logger.debug("not connected", error=type(error).__name__, reason=str(error))
            self._watch.suspect()
            raise self._refusal("cannot be reached") from error
        self._lent.add(connection)
        return connection

    async def _probe(self) -> None:
        """Ask PostgreSQL on a connection of its own; the one of a caller says nothing of a new one."""
        try:
            connection = await self._connector.connect(name="crm-mcp probe")
        except asyncpg.TooManyConnectionsError:
            self._is_full = True  # and it answers
            return
        try:
            await connection.execute(_PROBE)
            await connection.close(timeout=1)
        except BaseException:
            connection.terminate()
            raise
        self._is_full = False

    async def _give_up(self) -> None:
        """End all connections, whoever waits for an answer on them.

        Not behind a pooler: there, calls that only wait for their turn look the same, and what is under
        way ends with its deadline.
        """
        if self._connector.is_pooled:
            return
        logger.warning("connections given up", in_use=len(self._lent))
        self._connections.terminate()

    def _refusal(self, what: str) -> DependencyUnavailable:
        self._refused += 1
        return unavailable(what)


def unavailable(what: str) -> DependencyUnavailable:
    """Return what a caller is told of PostgreSQL, which *what*."""
    return DependencyUnavailable(f"The CRM database {what}. Try again in a moment.", retry_after=2)
