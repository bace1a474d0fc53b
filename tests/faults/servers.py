"""Real server processes: one runs, and the next is ready to take its place."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults.nursery import Nursery

_SERVES = re.compile(r"serves on http://127\.0\.0\.1:(\d+)")
_START_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Process:
    """A server that answers."""

    pid: int
    port: int

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def kill(self) -> None:
        """End it, whatever it does."""
        os.kill(self.pid, signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        os.kill(self.pid, signal.SIGTERM)


class Servers:
    """Starts servers with *environment*; what each says goes to a file of its own in *folder*."""

    def __init__(self, nursery: Nursery, folder: Path, environment: dict[str, str]) -> None:
        self.killed = 0
        self._nursery = nursery
        self._folder = folder
        self._environment = environment
        self._outputs: list[Path] = []
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

    def kill(self) -> None:
        """End the running server by SIGKILL; the next takes its place as soon as it can."""
        assert self._running is not None
        self._running.kill()
        self._running = None
        self.killed += 1
        self._change = asyncio.create_task(self._replace())

    async def close(self) -> None:
        """End all servers."""
        await self.ready()
        assert self._running is not None
        self._running.kill()
        self._next.result().kill()

    def errors(self) -> list[str]:
        """Return the lines that the servers have logged."""
        lines = [line for output in self._outputs for line in output.read_text().splitlines()]
        return [line.replace("\\n", "\n") for line in lines if line.startswith("{")]

    async def _replace(self) -> None:
        self._running = await self._next
        self._next = asyncio.create_task(self._start())

    async def _start(self) -> Process:
        output = self._folder / f"server-{len(self._outputs)}.log"
        self._outputs.append(output)
        return await started(self._nursery, output, self._environment)


async def started(nursery: Nursery, output: Path, environment: dict[str, str], *, tasks: Path | None = None) -> Process:
    """Start a server whose output goes to a file, and return it when it answers."""
    pid = await asyncio.to_thread(nursery.fork, output, environment, tasks=tasks)
    async with asyncio.timeout(_START_SECONDS):
        while (port := _port_in(output)) is None:  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.002)
    return Process(pid, port)


def _port_in(output: Path) -> int | None:
    said = _SERVES.search(output.read_text())
    return None if said is None else int(said[1])


@asynccontextmanager
async def running_servers(nursery: Nursery, folder: Path, environment: dict[str, str]) -> AsyncIterator[Servers]:
    """Give servers that run; none outlives the block."""
    servers = Servers(nursery, folder, environment)
    await servers.ready()
    try:
        yield servers
    finally:
        await servers.close()
