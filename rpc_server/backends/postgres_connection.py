"""Opening a connection to PostgreSQL: at the host that answers, kept alive, and safe behind a pooler."""

import asyncio
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import orjson
import structlog
from asyncpg.prepared_stmt import PreparedStatement

from rpc_server.backends.postgres_ahead import PREPARE_ENTER

logger = structlog.get_logger("postgres")

Pooler = Literal["auto", "session", "transaction"]

# What is raised while nobody can be talked to; not TooManyConnectionsError, which somebody has to say.
UNREACHABLE = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.TargetServerAttributeNotMatched,
)
# A peer that is silent at the level of TCP is given up after this; a firewall's or a failover's work.
_IDLE_SECONDS, _BETWEEN_SECONDS, _PROBES = 10, 5, 3
_UNANSWERED_MILLISECONDS = 15_000
_KEPT_STATEMENTS = 100
# A pooler knows each of these, and the name, and sets them again when it changes the backend.
_SESSION = {"timezone": "UTC", "standard_conforming_strings": "on"}
# What each transaction needs and no tenant can tell: set once where the backend is ours alone, else each time.
SESSION_WIDE = (
    # A server that freezes must not keep a tenant's locks.
    "idle_in_transaction_session_timeout = '60s'",
    # Every query has a plan that is good for any parameters (tests/sweeps/test_plans.py). PostgreSQL would compare it
    # with those for these parameters, and where they look better plan each time, which takes as long as a small query.
    "plan_cache_mode = force_generic_plan",
)

if TYPE_CHECKING:  # the driver's classes are generic for type checkers only
    _DriverConnection = asyncpg.Connection[asyncpg.Record]
else:
    _DriverConnection = asyncpg.Connection


class Connection(_DriverConnection):
    """A connection that is noticed to be lost; whatever is set on it is local to a transaction."""

    def __init__(self, protocol: Any, transport: asyncio.BaseTransport, *arguments: Any, **options: Any) -> None:
        super().__init__(protocol, transport, *arguments, **options)
        # No pooler stands between: what is set for the session is SESSION_WIDE.
        self.is_direct = False
        # Free for others, although the transaction in which somebody has read is still open.
        self.is_left = False
        # By their text. The driver forgets its own after five minutes, and asks nobody.
        self._kept: dict[str, PreparedStatement[asyncpg.Record]] = {}
        self._wire = transport
        # They know the connection: one that has ended would be left to the garbage collector.
        self.add_termination_listener(lambda connection: connection._kept.clear())  # noqa: SLF001
        _keep_alive(transport)

    def has_kept(self, text: str) -> bool:
        """Tell whether *text* is prepared, so that something may be sent ahead of it."""
        return text in self._kept

    async def ask(
        self, text: str, values: Sequence[Any], *, patience: float | None, ahead: bytes = b""
    ) -> "list[asyncpg.Record]":
        """Return the rows of a statement within *patience* seconds; it stays prepared where the backend is ours alone.

        What is to be sent *ahead* of it (see postgres_ahead) needs one that is prepared already.
        """
        if not self.is_direct:
            return await self.fetch(text, *values, timeout=patience)
        statement = self._kept.get(text)
        if statement is None:
            statement = self._kept[text] = await self.prepare(text, timeout=patience)
        if ahead:
            self._wire.write(ahead)  # type: ignore[attr-defined] # a transport that reads and writes
        try:
            return await statement.fetch(*values, timeout=patience)
        except asyncpg.InvalidCachedStatementError:
            self._kept.pop(text, None)  # the connection may have ended meanwhile, and let go of all
            raise
        except Exception:
            if ahead and not self.is_closed() and not self.is_in_transaction():
                # Nothing was answered: PostgreSQL may be in a transaction that the driver knows nothing of.
                self.terminate()
            raise


class Connector:
    """Opens connections to the database of *url*, within *seconds* each.

    Behind a pooler that hands out another backend for each transaction, a prepared statement may meet
    a backend that has never heard of it, or that knows another one by the same name. So behind a
    pooler no statement is kept prepared: one of *pooler* "transaction", and with "auto" any that is
    noticed. "session" says that the backend stays the same, or that the pooler knows about statements.
    """

    def __init__(self, url: str, *, seconds: float, pooler: Pooler = "auto") -> None:
        self._urls = each_host(url)
        self._seconds = seconds
        self._notices = pooler == "auto"
        self.is_pooled = pooler == "transaction"

    async def connect(self, name: str = "crm-mcp", **options: Any) -> Connection:
        """Open a connection that PostgreSQL knows by *name*; *options* are the driver's.

        Raises one of UNREACHABLE, or TimeoutError.
        """
        options["server_settings"] = {**_SESSION, "application_name": name}
        if self.is_pooled:
            return await self._open(options, kept_statements=0)
        connection = await self._open(options, kept_statements=_KEPT_STATEMENTS)
        if not self._notices:
            return connection
        if await _is_direct(connection) and not self.is_pooled:
            await _have_to_itself(connection)
            return connection
        connection.terminate()
        if not self.is_pooled:
            logger.info("a pooler stands before postgres: statements are not kept prepared")
            self.is_pooled = True
        return await self._open(options, kept_statements=0)

    async def _open(self, options: dict[str, Any], *, kept_statements: int) -> Connection:
        """Try each host, the one that answered last first; a silent one leaves time for the others."""
        failure: Exception = OSError("no host")
        for url in list(self._urls):
            try:
                connection = await self._open_at(url, options, kept_statements)
            except (*UNREACHABLE, TimeoutError) as error:
                failure = error
            else:
                self._urls.remove(url)
                self._urls.insert(0, url)
                return connection
        raise failure

    async def _open_at(self, url: str, options: dict[str, Any], kept_statements: int) -> Connection:
        connection: Connection = await asyncpg.connect(
            url,
            **{**options, "connection_class": Connection},
            timeout=self._seconds / len(self._urls),
            statement_cache_size=kept_statements,
        )
        await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=_to_json, decoder=orjson.loads)
        return connection


async def _have_to_itself(connection: Connection) -> None:
    """Set and prepare once what would else be said in each transaction."""
    try:
        await connection.execute(f"set {'; set '.join(SESSION_WIDE)}; {PREPARE_ENTER}")
    except BaseException:
        connection.terminate()
        raise
    connection.is_direct = True


async def is_direct(connection: _DriverConnection) -> bool:
    """Tell whether PostgreSQL itself is at the other end: a pooler makes up the process id that it gives."""
    # The number of rows is in what `execute` returns, and it prepares no statement.
    return await connection.execute(f"select where pg_backend_pid() = {connection.get_server_pid()}") == "SELECT 1"


async def _is_direct(connection: Connection) -> bool:
    try:
        return await is_direct(connection)
    except BaseException:
        connection.terminate()
        raise


def each_host(url: str) -> list[str]:
    """Return an address for each host that *url* names before the path, with commas between them."""
    parts = urlsplit(url)
    login, at, hosts = parts.netloc.rpartition("@")
    if "," not in hosts:
        return [url]
    return [urlunsplit(parts._replace(netloc=f"{login}{at}{host}")) for host in hosts.split(",")]


def _keep_alive(transport: asyncio.BaseTransport) -> None:
    peer: socket.socket | None = transport.get_extra_info("socket")
    if peer is None or peer.family == socket.AF_UNIX:
        return
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", _IDLE_SECONDS),
        ("TCP_KEEPINTVL", _BETWEEN_SECONDS),
        ("TCP_KEEPCNT", _PROBES),
        ("TCP_USER_TIMEOUT", _UNANSWERED_MILLISECONDS),
    ):
        if hasattr(socket, name):  # each system has some of them
            peer.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _to_json(value: object) -> str:
    return orjson.dumps(value).decode()
