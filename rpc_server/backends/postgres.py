"""PostgreSQL: the only place that can reach a connection, and it never gives one out without a tenant.

A call's statements run in one transaction. What opens it, in a single round trip, takes the
reader's role, sets the tenant and bounds each statement's time; all of it is local to the
transaction, so nothing of a tenant outlives it on the connection, also through a pooler
that hands the connection to another after each transaction.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, Self

import asyncpg
import structlog

from rpc_server.backends.postgres_ahead import BEGIN_READING, opening
from rpc_server.backends.postgres_connection import SESSION_WIDE, UNREACHABLE, Connection
from rpc_server.backends.postgres_pool import PostgresPool, unavailable
from rpc_server.backends.statements import Told, told_to
from rpc_server.calls.telemetry import NO_METRICS
from rpc_server.calls.tracing import NO_TRACES
from rpc_server.contract.errors import DeadlineExceeded, DependencyUnavailable
from rpc_server.contract.query import Query, Row, TransactionLost

logger = structlog.get_logger("postgres")

_STATEMENT_SECONDS = 60.0
_LOCK_SECONDS = 10
# PostgreSQL ends a statement at its time; where it does not even do that, we do, so much later.
_LATE_SECONDS = 5.0
_COMMIT_SECONDS = 30.0
# What is raised where the connection is lost; the driver uses InterfaceError for our own mistakes too.
_LOST = (*UNREACHABLE, asyncpg.InterfaceError, asyncpg.InternalClientError)
_FAILURES = (
    *_LOST,
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
)


class Postgres(PostgresPool):
    """A pool of connections, used only through a tenant's snapshot or transaction.

    *told* makes a context for each statement, by the statement's name: whoever measures and traces them sets it.
    """

    told: Told = staticmethod(told_to(NO_METRICS, NO_TRACES))

    def snapshot(self, tenant_id: str, deadline: Callable[[], float | None]) -> "Snapshot":
        """Give the CRM as *tenant_id* sees it; a connection is taken at the first query, if there is one."""
        return Snapshot(self, tenant_id, deadline)

    def transaction(self, tenant_id: str, deadline: Callable[[], float | None]) -> "Transaction":
        """Give the CRM of *tenant_id* to a writer; whatever is not committed at the end is undone."""
        return Transaction(self, tenant_id, deadline)


class Snapshot:
    """One read-only transaction of one tenant: all its statements see the same moment."""

    opening = f"{BEGIN_READING}; set local role mcp_reader"
    too_slow = "Ask for a shorter period or fewer agents."

    def __init__(self, postgres: Postgres, tenant_id: str, deadline: Callable[[], float | None]) -> None:
        self._postgres = postgres
        self._tenant_id = tenant_id
        self._deadline = deadline
        self._connection: Connection | None = None
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        """Begin: nothing is asked yet."""
        return self

    async def __aexit__(self, kind: object = None, *exception: object) -> None:
        """End the transaction; nothing read needs a commit, and a rollback undoes what a statement set, too."""
        await self.end("rollback", is_urgent=kind is not None)

    async def all(self, query: Query, /, **parameters: Any) -> Sequence[Row]:
        """Return all rows of *query*; statements asked for at the same time run one after the other."""
        values = query.bind(parameters)
        async with self._turn:
            try:
                connection, ahead = (self._connection, b"") if self._connection else await self._begin(query)
                if query.planned_anew:
                    await connection.execute("set local plan_cache_mode = auto", timeout=self._late())
                with self._postgres.told(query.name), self._postgres.awaited():
                    rows: Sequence[Any] = await connection.ask(
                        query.text, values, patience=self._patience(), ahead=ahead
                    )
            except _FAILURES as error:
                self._fail(query.name, error)
            return rows

    async def first(self, query: Query, /, **parameters: Any) -> Row | None:
        """Return the first row of *query*, or None."""
        rows = await self.all(query, **parameters)
        return rows[0] if rows else None

    async def release(self) -> None:
        """Give the connection back; the next query takes another, and a new snapshot."""
        async with self._turn:
            await self.end("rollback")

    async def end(self, statement: str, *, is_urgent: bool = True) -> None:
        """Give the connection back, if one was taken."""
        connection, self._connection = self._connection, None
        if connection is not None and (is_urgent or not self._postgres.leave(connection)):
            await self._postgres.give_back(connection, statement)

    async def _begin(self, query: Query | None = None) -> tuple[Connection, bytes]:
        """Take a connection and open the transaction; or return what does so, to be sent ahead of *query*."""
        self._connection = connection = await self._postgres.acquire(self._seconds_left())
        ahead = self._ahead(connection, query) if query else b""
        if not ahead:
            await self._open(connection)
        return connection, ahead

    def _ahead(self, connection: Connection, query: Query) -> bytes:
        """Return what opens the transaction ahead of *query*; nothing where that takes a round trip of its own.

        Of a PostgreSQL that has not been heard of lately it does: a query may take long, an opening may not.
        """
        if query.planned_anew or not connection.has_kept(query.text) or not self._postgres.has_answered_lately:
            return b""
        is_left, connection.is_left = connection.is_left, False
        return opening(self._tenant_id, self._milliseconds_left(), is_left=is_left)

    async def _open(self, connection: Connection) -> None:
        settings = [
            f"mcp.tenant_id = {quoted(self._tenant_id)}",
            f"statement_timeout = {self._milliseconds_left()}",
            *(() if connection.is_direct else SESSION_WIDE),
        ]
        statements = f"{self.opening}; set local {'; set local '.join(settings)}"
        try:
            with self._postgres.told("begin"):
                await self._postgres.open(connection, statements)
        except asyncpg.FeatureNotSupportedError as error:  # a transaction that writes, on a standby
            self._postgres.drop(connection)  # another may lead to who writes by now
            raise unavailable("takes no changes at the moment") from error

    def _fail(self, name: str, error: Exception) -> NoReturn:
        """Raise as an error of ours what PostgreSQL or the driver says of the statement *name*."""
        match error:
            case asyncpg.SerializationError() | asyncpg.DeadlockDetectedError():
                raise TransactionLost(name) from error
            case asyncpg.LockNotAvailableError():
                logger.warning("lock not available", query=name)
                raise DeadlineExceeded(
                    "Another change of the same thing is still running. "
                    "Call again in a moment, with the same arguments.",
                    retry_after=2,
                ) from error
            case asyncpg.QueryCanceledError():
                logger.warning("statement cancelled", query=name)
                raise DeadlineExceeded(f"The CRM database did not finish in time. {self.too_slow}") from error
            case asyncpg.InterfaceError() if self._connection is None or not self._connection.is_closed():
                raise error
        logger.warning("connection lost", query=name, error=type(error).__name__)
        self._postgres.suspect()
        raise unavailable("went away during the call") from error

    def _seconds_left(self) -> float:
        deadline = self._deadline()
        if deadline is None:
            return _STATEMENT_SECONDS
        return max(0.001, deadline - asyncio.get_running_loop().time())

    def _milliseconds_left(self) -> int:
        return max(1, int(self._seconds_left() * 1000))

    def _patience(self) -> float | None:
        """Return the seconds after which an answer is not waited for any more; None: whoever asks sees to that."""
        return self._late() if self._deadline() is None else None

    def _late(self) -> float:
        return self._seconds_left() + _LATE_SECONDS


class Transaction(Snapshot):
    """One transaction of one tenant that may write; each statement sees what was committed before it."""

    # A caller that waits for another writer's lock is told so well before its own deadline.
    opening = (
        "begin isolation level read committed read write; set local role mcp_writer;"
        f" set local lock_timeout = '{_LOCK_SECONDS}s'"
    )
    too_slow = "Nothing was changed. Call again in a moment."
    _committed = False

    def _ahead(self, connection: Connection, query: Query) -> bytes:
        """Return nothing: what a writer needs is said by itself, and a standby that refuses it is told from it."""
        return b""

    def _patience(self) -> float | None:
        """Return the seconds after which an answer is not waited for any more: a change outlives its caller."""
        return self._late()

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
            with self._postgres.told("commit"), self._postgres.awaited():
                done = await self._connection.execute("commit", timeout=_COMMIT_SECONDS)
        except _LOST as error:
            logger.warning("connection lost at commit", error=type(error).__name__)
            self._postgres.suspect()
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

    async def end(self, statement: str, *, is_urgent: bool = True) -> None:
        """Give the connection back; after a commit there is nothing left to undo, else locks are given up at once."""
        await super().end("" if self._committed else statement)

    async def _control(self, statement: str) -> None:
        try:
            connection = self._connection or (await self._begin())[0]
            with self._postgres.awaited():
                await connection.execute(statement, timeout=self._late())
        except _FAILURES as error:
            self._fail(statement, error)


def quoted(text: str) -> str:
    """Return *text* as a PostgreSQL literal, by the rules of libpq's PQescapeLiteral."""
    escaped = text.replace("'", "''")
    return f" E'{escaped.replace(chr(92), chr(92) * 2)}'" if "\\" in escaped else f"'{escaped}'"
