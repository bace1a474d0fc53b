"""Real server processes: one runs, and the next is ready to take its place."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from rpc_server.settings import ROOT

_SERVES = re.compile(r"serves on http://127\.0\.0\.1:(\d+)")
_START_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Process:
    """A server that answers."""

    pid: int
    port: int


class Servers:
    """Starts servers with the given environment; their output goes to files in *folder*."""

    def __init__(self, nursery: "subprocess.Popen[str]", folder: Path) -> None:
        self.killed = 0
        self._nursery = nursery
        self._folder = folder
        self._running: Process | None = None
        self._next = asyncio.create_task(self._start())
        self._change = asyncio.create_task(self._replace())

    @property
    def port(self) -> int | None:
        """Where the server listens; None while none runs."""
        return None if self._running is None else self._running.port

    async def ready(self) -> None:
        """Return when a server runs and another is ready."""
        await asyncio.shield(self._change)
        await asyncio.shield(self._next)

    async def kill(self, backend: int | None = None) -> None:
        """End the running server by SIGKILL; the next takes its place as soon as it can."""
        await asyncio.shield(self._change)
        assert self._running is not None
        os.kill(self._running.pid, signal.SIGKILL)
        self.killed += 1
        self._running = None
        self._change = asyncio.create_task(self._replace())

    async def close(self) -> None:
        """End all servers."""
        await asyncio.gather(self._change, self._next, return_exceptions=True)
        os.killpg(self._nursery.pid, signal.SIGKILL)

    def said(self) -> str:
        """Return the output of all servers so far, without the lines that each begins with."""
        return "".join(path.read_text() for path in sorted(self._folder.glob("*.log")))

    async def _replace(self) -> None:
        self._running = await self._next
        self._next = asyncio.create_task(self._start())

    async def _start(self) -> Process:
        output = self._folder / f"{len(list(self._folder.glob('*.log'))):04}.log"
        output.touch()
        pid = await asyncio.to_thread(self._forked, output)
        async with asyncio.timeout(_START_SECONDS):
            while (said := _SERVES.search(output.read_text())) is None:
                await asyncio.sleep(0.002)
        return Process(pid, int(said[1]))

    def _forked(self, output: Path) -> int:
        assert self._nursery.stdin is not None and self._nursery.stdout is not None
        print(output, file=self._nursery.stdin, flush=True)
        return int(self._nursery.stdout.readline())


@asynccontextmanager
async def running_servers(folder: Path, environment: dict[str, str]) -> AsyncIterator[Servers]:
    """Give servers; none of them outlives the block, nor this process."""
    nursery = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.nursery"],
        cwd=ROOT,
        env={"PATH": os.defpath, "HOME": str(folder), **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with nursery:
        servers = Servers(nursery, folder)
        try:
            yield servers
        finally:
            await servers.close()
