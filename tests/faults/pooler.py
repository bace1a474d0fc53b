"""A real PgBouncer in transaction mode: each transaction may run on another backend."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from rpc_server.backends.postgres_binaries import find_binaries
from rpc_server.backends.postgres_user import choose_user

PROGRAM = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")
# Fewer than the callers, so that they share backends all the time.
BACKENDS = 3

_SETTINGS = """
[databases]
* = host={host} port={port} user={user} password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own_port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {backends}
max_client_conn = 500
server_login_retry = 1
logfile = {folder}/pgbouncer.log
"""


class PgBouncer:
    """Stands before the PostgreSQL of *url*, which a server could use itself; *folder* gets its files."""

    def __init__(self, folder: Path, url: str) -> None:
        assert PROGRAM is not None
        parts = urlsplit(url)
        given = {name: values[0] for name, values in parse_qs(parts.query).items()}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._database = parts.path
        self._login = parts.username
        self._program = PROGRAM
        self._settings = folder / "pgbouncer.ini"
        self._settings.write_text(
            _SETTINGS.format(
                host=given.get("host") or parts.hostname,
                port=given.get("port") or parts.port or 5432,
                user=parts.username,
                password=parts.password,
                own_port=self.port,
                backends=BACKENDS,
                folder=folder,
            )
        )
        self._user = choose_user(find_binaries(), folder)
        self.start()

    @property
    def url(self) -> str:
        """The address for a server that is to go through it."""
        return f"postgresql://{self._login}@127.0.0.1:{self.port}{self._database}"

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        # As PostgreSQL, it refuses to be root.
        self._process = self._user.popen([self._program, "-q", str(self._settings)], stderr=subprocess.DEVNULL)
        while True:
            assert self._process.poll() is None, self._settings.with_suffix(".log").read_text()
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
            except ConnectionRefusedError:
                continue
            return

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()


@contextmanager
def pgbouncer(folder: Path, url: str) -> Iterator[PgBouncer]:
    """Give one; it does not outlive the block."""
    pooler = PgBouncer(folder, url)
    try:
        yield pooler
    finally:
        pooler.kill()
