"""A PostgreSQL of the tests' own, to be broken in each way in which PostgreSQL breaks."""

import asyncio
import os
import secrets
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import asyncpg

from rpc_server.backends.embedded_postgres import EmbeddedPostgres
from tests.database import FAST, Cluster, prepare, template_of

# What is committed outlives its processes; no machine is ever lost here.
_SETTINGS = {**FAST, "synchronous_commit": "on"}


class BreakablePostgres:
    """A server whose address stays the same when it is started again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.start()
        self.cluster: Cluster = asyncio.run(prepare(self._server.url()))
        self._frozen: list[int] = []

    def start(self) -> None:
        """Start it, on the data that is there."""
        self._server = EmbeddedPostgres.start(self._folder / "data", settings=_SETTINGS)
        self._runs = True

    def start_as_standby(self) -> None:
        """Start it, to be read only until it is promoted."""
        (self._folder / "data" / "standby.signal").touch()
        self.start()

    async def promote(self) -> None:
        """Have it take changes again."""
        admin = await asyncpg.connect(self.cluster.admin_url)
        try:
            assert await admin.fetchval("select pg_promote()")
        finally:
            await admin.close()

    def stop(self) -> None:
        """End it as a crash does: no backend says good-bye, and the data has to be recovered."""
        pid = self._postmaster()
        processes = [pid, *children_of(pid)]
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self._server.stop()
        self._runs = False

    def freeze(self) -> None:
        """Stop all its processes: connections stay open, and nobody answers."""
        pid = self._postmaster()
        os.kill(pid, signal.SIGSTOP)
        self._frozen = [pid, *children_of(pid)]
        for process in self._frozen:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let its processes go on."""
        for process in reversed(self._frozen):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)
        self._frozen = []

    async def database(self) -> str:
        """Make a migrated database with nobody's data in it, and return its name; it ends with the server."""
        name = f"crm_test_{secrets.token_hex(6)}"
        admin = await asyncpg.connect(self.cluster.admin_url)
        try:
            await admin.execute(f"create database {name} template {template_of(self.cluster)}")
        finally:
            await admin.close()
        return name

    def revive(self) -> None:
        """Have it run, whatever was done to it."""
        self.thaw()
        if not self._runs:
            self.start()

    def close(self) -> None:
        """End it for good."""
        self.thaw()
        self._server.stop()

    def _postmaster(self) -> int:
        return int((self._folder / "data" / "postmaster.pid").read_text().split()[0])


def children_of(pid: int) -> list[int]:
    """Return the processes that *pid* has started and that run."""
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout
    return [int(line) for line in found.split()]


@contextmanager
def breakable_postgres() -> Iterator[BreakablePostgres]:
    """Give one, in a folder whose path fits into the address of a socket."""
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp") as folder:
        postgres = BreakablePostgres(Path(folder))
        try:
            yield postgres
        finally:
            postgres.close()
