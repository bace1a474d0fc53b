"""PostgreSQL: the only place that can reach a connection, and it never gives one out without a tenant.

A call's statements run in one transaction. What opens it, in a single round trip, takes the
reader's role, sets the tenant and bounds each statement's time; all of it is local to the
transaction, so nothing of a tenant outlives it on the connection, also through a pooler
that hands the connection to another after each transaction.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import asyncpg
import orjson
import structlog

from rpc_server.contract.errors import DeadlineExceeded, DependencyUnavailable
from rpc_server.contract.query import Query, Row, TransactionLost

logger = structlog.get_logger("postgres")

_UNREACHABLE = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)
_ROLLBACK_SECONDS = 5.0
_STATEMENT_SECONDS = 60.0
_LOCK_SECONDS = 10
_IDLE_SECONDS = 60


if TYPE_CHECKING:  # the driver's classes are generic for type checkers only
    _DriverConnection = asyncpg.Connection[asyncpg.Record]
else:
    _DriverConnection = asyncpg.Connection


class _Connection(_DriverConnection):
    """A connection that needs no reset: whatever is set on it is local to a transaction."""

    def get_reset_query(self) -> str:
        return ""


async def _decode_json(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=_to_json, decoder=orjson.loads)


def _to_json(value: object) -> str:
    return orjson.dumps(value).decode()


class Postgres:
    """A pool of connections, used only through a tenant's snapshot."""

    def __init__(self, url: str, *, size: int, acquire_seconds: float) -> None:
        """At most *size* connections; a caller waits at most *acquire_seconds* for one."""
        self._url = url
        self._size = size
        self._acquire_seconds = acquire_seconds
        self._closing: set[asyncio.Future[None]] = set()

    async def __aenter__(self) -> "Postgres":
        """Open the pool; PostgreSQL itself may still be down."""
        self._pool = await asyncpg.create_pool(
            self._url,
            min_size=0,
            max_size=self._size,
            connection_class=_Connection,
            timeout=self._acquire_seconds,
            server_settings={
                "application_name": "crm-mcp",
                "timezone": "UTC",
                "standard_conforming_strings": "on",
            },
            init=_decode_json,
        )
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Close the pool."""
        await self._pool.close()

    @asynccontextmanager
    async def snapshot(self, tenant_id: str, deadline: Callable[[], float | None]) -> AsyncIterator["Snapshot"]:
        """Give the CRM as *tenant_id* sees it; a connection is taken at the first query, if there is one."""
        snapshot = Snapshot(self, tenant_id, deadline)
        try:
            yield snapshot
        finally:
            # Nothing read needs a commit, and a rollback also undoes what a statement set on the session.
            await snapshot.end("rollback")

    @asynccontextmanager
    async def transaction(self, tenant_id: str, deadline: Callable[[], float | None]) -> AsyncIterator["Transaction"]:
        """Give the CRM of *tenant_id* to a writer; whatever is not committed at the end is undone."""
        transaction = Transaction(self, tenant_id, deadline)
        try:
            yield transaction
        finally:
            await transaction.end("rollback")

    async def check(self) -> None:
        """Return when PostgreSQL answers and the server may take its role, else raise DependencyUnavailable."""
        async with self.snapshot("", lambda: None) as snapshot:
            await snapshot.all(_PING)

    async def acquire(self, seconds: float) -> "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]":
        """Take a connection within *seconds*, or raise DependencyUnavailable."""
        try:
            return await self._pool.acquire(timeout=min(seconds, self._acquire_seconds))
        except TimeoutError:
            raise _unavailable("has no free connection at the moment") from None
        except _UNREACHABLE as error:
            logger.warning("unreachable", error=type(error).__name__, reason=str(error))
            raise _unavailable("cannot be reached") from error

    async def give_back(self, connection: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]", statement: str) -> None:
        """End the transaction, unless it has ended (""), and return the connection, also when being cancelled."""
        ending = asyncio.ensure_future(self._end(connection, statement))
        self._closing.add(ending)
        ending.add_done_callback(self._closing.discard)
        await asyncio.shield(ending)

    async def _end(self, connection: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]", statement: str) -> None:
        try:
            if statement:
                await connection.execute(statement, timeout=_ROLLBACK_SECONDS)
        except Exception as error:  # noqa: BLE001 - whatever it was, this connection is not to be used again
            logger.warning("connection dropped", error=type(error).__name__)
            with suppress(asyncpg.InterfaceError):  # a lost one has left the pool by itself
                connection.terminate()
        finally:
            # Lost at this very moment, it may go back by itself first, and the pool would complain.
            with suppress(asyncpg.InternalClientError):
                await self._pool.release(connection)


class Snapshot:
    """One read-only transaction of one tenant: all its statements see the same moment."""

    opening = "begin isolation level repeatable read read only; set local role mcp_reader"
    too_slow = "Ask for a shorter period or fewer agents."

    def __init__(self, postgres: Postgres, tenant_id: str, deadline: Callable[[], float | None]) -> None:
        self._postgres = postgres
        self._tenant_id = tenant_id
        self._deadline = deadline
        self._connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record] | None = None
        self._turn = asyncio.Lock()

    async def all(self, query: Query, /, **parameters: Any) -> Sequence[Row]:
        """Return all rows of *query*; statements asked for at the same time run one after the other."""
        values = query.bind(parameters)
        async with self._turn:
            with self._translated(query.name):
                connection = self._connection or await self._begin()
                rows: Sequence[Any] = await connection.fetch(query.text, *values)
                return rows

    async def first(self, query: Query, /, **parameters: Any) -> Row | None:
        """Return the first row of *query*, or None."""
        rows = await self.all(query, **parameters)
        return rows[0] if rows else None

    async def release(self) -> None:
        """Give the connection back; the next query takes another, and a new snapshot."""
        async with self._turn:
            await self.end("rollback")

    async def end(self, statement: str) -> None:
        """Give the connection back, if one was taken."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await self._postgres.give_back(connection, statement)

    async def _begin(self) -> "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]":
        seconds = self._seconds_left()
        self._connection = connection = await self._postgres.acquire(seconds)
        await connection.execute(
            f"{self.opening};"
            # A server that freezes must not keep a tenant's locks.
            f"set local idle_in_transaction_session_timeout = '{_IDLE_SECONDS}s';"
            f"set local mcp.tenant_id = {quoted(self._tenant_id)};"
            f"set local statement_timeout = {max(1, int(seconds * 1000))}"
        )
        return connection

    @contextmanager
    def _translated(self, name: str) -> Iterator[None]:
        """Turn what PostgreSQL or the driver says of the statement *name* into errors of ours."""
        try:
            yield
        except (asyncpg.SerializationError, asyncpg.DeadlockDetectedError) as error:
            raise TransactionLost(name) from error
        except asyncpg.LockNotAvailableError as error:
            logger.warning("lock not available", query=name)
            raise DeadlineExceeded(
                "Another change of the same thing is still running. Call again in a moment, with the same arguments.",
                retry_after=2,
            ) from error
        except asyncpg.QueryCanceledError as error:
            logger.warning("statement cancelled", query=name)
            raise DeadlineExceeded(f"The CRM database did not finish in time. {self.too_slow}") from error
        except (*_UNREACHABLE, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
            # The driver uses InterfaceError both for a lost connection and for our own mistakes.
            if isinstance(error, asyncpg.InterfaceError) and not _is_lost(self._connection):
                raise
            logger.warning("connection lost", query=name, error=type(error).__name__)
            raise _unavailable("went away during the call") from error

    def _seconds_left(self) -> float:
        deadline = self._deadline()
        if deadline is None:
            return _STATEMENT_SECONDS
        return max(0.001, deadline - asyncio.get_running_loop().time())


class Transaction(Snapshot):
    """One transaction of one tenant that may write; each statement sees what was committed before it."""

    # A caller that waits for another writer's lock is told so well before its own deadline.
    opening = (
        "begin isolation level read committed read write; set local role mcp_writer;"
        f" set local lock_timeout = '{_LOCK_SECONDS}s'"
    )
    too_slow = "Nothing was changed. Call again in a moment."
    _committed = False

    async def mark(self) -> None:
        """Mark the point to which `undo` goes back."""
        await self._control("savepoint before_change")

    async def undo(self) -> None:
        """Undo everything since `mark`; what comes after still counts."""
        await self._control("rollback to savepoint before_change")

    async def commit(self) -> None:
        """Make it so. Where PostgreSQL goes away right now, nobody knows whether it did: the error says that."""
        assert self._connection is not None
        try:
            done = await self._connection.execute("commit")
        except (*_UNREACHABLE, asyncpg.InterfaceError, asyncpg.InternalClientError, TimeoutError) as error:
            logger.warning("connection lost at commit", error=type(error).__name__)
            raise DependencyUnavailable(
                "The CRM database went away while the change was being saved; it may or may not have been. "
                "Call again with the same idempotency_key, or read the contact before you change it again.",
                retry_after=2,
            ) from error
        if done != "COMMIT":
            raise RuntimeError(f"commit ended in {done}")
        self._committed = True

    async def release(self) -> None:
        """Refuse: half a change must not be left behind."""
        raise RuntimeError("a transaction ends with its commit or with its opener")

    async def end(self, statement: str) -> None:
        """Give the connection back; after a commit there is nothing left to undo."""
        await super().end("" if self._committed else statement)

    async def _control(self, statement: str) -> None:
        with self._translated(statement):
            connection = self._connection or await self._begin()
            await connection.execute(statement)


def _is_lost(connection: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record] | None") -> bool:
    """Tell whether a connection is closed; one that has left the pool does not even say that."""
    try:
        return connection is not None and connection.is_closed()
    except asyncpg.InterfaceError:
        return True


def quoted(text: str) -> str:
    """Return *text* as a PostgreSQL literal, by the rules of libpq's PQescapeLiteral."""
    escaped = text.replace("'", "''")
    return f" E'{escaped.replace(chr(92), chr(92) * 2)}'" if "\\" in escaped else f"'{escaped}'"


def _unavailable(what: str) -> DependencyUnavailable:
    return DependencyUnavailable(f"The CRM database {what}. Try again in a moment.", retry_after=2)


_PING = Query("ping", "-- Is anybody there?\nselect 1", ())
