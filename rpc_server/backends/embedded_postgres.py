"""A private PostgreSQL of our own, on a unix socket: for `serve --dev` and for tests.

Everything here blocks, and needs a POSIX system; from a coroutine, call it through `asyncio.to_thread`.
"""

import atexit
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import IO, Self
from urllib.parse import quote

from rpc_server.backends.postgres_binaries import Binaries, PostgresNotFound, find_binaries
from rpc_server.backends.postgres_data import last_lines, lock_data, prepare_data
from rpc_server.backends.postgres_keeper import KeptPostmaster
from rpc_server.backends.postgres_user import PostgresFailed, PostgresUser, choose_user

__all__ = ["Binaries", "EmbeddedPostgres", "PostgresFailed", "PostgresNotFound", "find_binaries"]

# It only names the socket, `.s.PGSQL.5432`; no port is opened.
_PORT = 5432

# macOS allows 103 bytes for the path of a socket, Linux 107.
_LONGEST_SOCKET_PATH = 103

# Recovery after a crash may read up to a gigabyte of log first.
_START_PATIENCE = 60.0

_DEFAULTS: Mapping[str, str] = {"shared_buffers": "128MB", "max_connections": "100"}
_NO_SETTINGS: Mapping[str, str] = MappingProxyType({})


class EmbeddedPostgres:
    """A running PostgreSQL server that only this operating-system user can reach.

    It ends with this process, also when that is killed.
    """

    def __init__(
        self,
        postmaster: KeptPostmaster,
        *,
        data_dir: Path,
        socket_dir: Path,
        binaries: Binaries,
        reused: bool,
        log: Path,
    ) -> None:
        self.data_dir = data_dir
        self.socket_dir = socket_dir
        self.binaries = binaries
        self.reused = reused
        self.log = log
        self._postmaster: KeptPostmaster | None = postmaster
        self._starter = os.getpid()
        atexit.register(self.stop)

    @classmethod
    def start(
        cls, data_dir: Path, *, settings: Mapping[str, str] = _NO_SETTINGS, binaries: Binaries | None = None
    ) -> Self:
        """Start PostgreSQL on `data_dir`, which is created when it is not there, and wait until it is ready.

        `settings` are server settings such as {"fsync": "off"}. A log and a lock file lie beside the folder.
        Raises PostgresNotFound without programs to run, PostgresFailed when the server does not start.
        """
        data_dir = data_dir.expanduser().resolve()
        binaries = binaries or find_binaries()
        try:
            data_dir.parent.mkdir(parents=True, exist_ok=True)
            with lock_data(data_dir) as lock:
                user = choose_user(binaries, data_dir.parent)
                reused = prepare_data(data_dir, binaries, user, lock.fileno())
                return cls._launch(data_dir, binaries, user, settings, lock=lock.fileno(), reused=reused)
        except OSError as error:
            raise PostgresFailed(f"PostgreSQL cannot be started on {data_dir}: {error}.") from error

    @classmethod
    def _launch(
        cls,
        data_dir: Path,
        binaries: Binaries,
        user: PostgresUser,
        settings: Mapping[str, str],
        *,
        lock: int,
        reused: bool,
    ) -> Self:
        socket_dir = _socket_dir(data_dir, user)
        log = data_dir.with_name(f"{data_dir.name}.log")
        with _new_log(log) as log_file:
            postmaster = KeptPostmaster(
                _command(binaries, data_dir, socket_dir, settings),
                user=user,
                data_dir=data_dir,
                lock=lock,
                log=log_file,
                temporary_dir=None if socket_dir == data_dir else socket_dir,
            )
        server = cls(postmaster, data_dir=data_dir, socket_dir=socket_dir, binaries=binaries, reused=reused, log=log)
        try:
            server._wait_until_ready(postmaster)
        except BaseException:
            server.stop()
            raise
        return server

    @staticmethod
    def running_url(data_dir: Path) -> str | None:
        """Return the superuser's address of the server that another process runs on *data_dir*, if one does."""
        try:
            lines = (data_dir.expanduser().resolve() / "postmaster.pid").read_text().splitlines()
            os.kill(int(lines[0]), 0)
        except (OSError, ValueError, IndexError):
            return None
        return _url(lines[4], "postgres", "postgres") if len(lines) >= 8 and lines[7].strip() == "ready" else None

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        """Return the address of a database, as asyncpg and psql take it."""
        return _url(str(self.socket_dir), database, user)

    def stop(self) -> None:
        """Disconnect everybody and shut the server down; do nothing when it is down already."""
        if self._postmaster is None or os.getpid() != self._starter:  # a forked child does not own it
            return
        self._postmaster.stop()
        self._postmaster = None
        if self.socket_dir != self.data_dir:
            shutil.rmtree(self.socket_dir, ignore_errors=True)
        atexit.unregister(self.stop)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _wait_until_ready(self, postmaster: KeptPostmaster) -> None:
        deadline = time.monotonic() + _START_PATIENCE
        while not _is_ready(self.data_dir, postmaster.pid):
            if postmaster.has_ended():
                raise self._failure("stopped while it was starting")
            if time.monotonic() > deadline:
                raise self._failure(f"was not ready within {_START_PATIENCE:.0f} seconds")
            time.sleep(0.01)

    def _failure(self, what: str) -> PostgresFailed:
        return PostgresFailed(
            f"PostgreSQL {self.binaries.version} on {self.data_dir} {what}; its log, {self.log}, ends with:\n"
            f"{last_lines(self.log.read_bytes())}"
        )


def _url(socket_dir: str, database: str, user: str) -> str:
    host = quote(socket_dir, safe="")
    return f"postgresql://{quote(user, safe='')}@/{quote(database, safe='')}?host={host}&port={_PORT}"


def _is_ready(data_dir: Path, pid: int) -> bool:
    """Read the postmaster's own word: its pid in the first line of its pid file, its status in the eighth."""
    try:
        lines = (data_dir / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"


def _command(binaries: Binaries, data_dir: Path, socket_dir: Path, settings: Mapping[str, str]) -> list[str]:
    quoted = str(socket_dir).replace('"', '""')
    private = {
        "listen_addresses": "",
        "port": str(_PORT),
        "unix_socket_directories": f'"{quoted}"',
        "unix_socket_permissions": "0700",
        "logging_collector": "off",
        "log_destination": "stderr",
    }
    options = [f"--{name}={value}" for name, value in {**_DEFAULTS, **settings, **private}.items()]
    return [str(binaries.directory / "postgres"), "-D", str(data_dir), *options]


def _socket_dir(data_dir: Path, user: PostgresUser) -> Path:
    # A comma would separate two hosts in the address.
    if "," not in str(data_dir) and _fits(data_dir):
        return data_dir
    temporary = Path(tempfile.gettempdir())
    parent = temporary if _fits(temporary / "pg-12345678") else Path("/tmp")  # noqa: S108 - mkdtemp follows
    directory = Path(tempfile.mkdtemp(prefix="pg-", dir=parent))
    user.give(directory)
    return directory


def _fits(directory: Path) -> bool:
    return len(os.fsencode(directory / f".s.PGSQL.{_PORT}")) <= _LONGEST_SOCKET_PATH


def _new_log(path: Path) -> IO[bytes]:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600, exist_ok=False)
    return path.open("ab")
