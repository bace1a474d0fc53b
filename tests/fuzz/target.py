"""The process that is fuzzed: `python -m tests.fuzz.target FOLDER SCRATCH [libFuzzer's options]`.

It needs atheris, which tests/fuzz/run.py brings. FOLDER gets seeds and findings, SCRATCH the database.
A finding is written down and the run goes on: each place in the code counts once.
"""

import asyncio
import hashlib
import os
import random
import sys
import time
import traceback
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import asyncpg
import atheris
import structlog
from pydantic import SecretStr

with atheris.instrument_imports(include=["rpc_server", "handlers", "jsonrpcserver"]):
    from handlers import CATALOG
    from handlers.demo import DemoPlan
    from rpc_server.app import make_app
    from rpc_server.commands.demo import load
    from rpc_server.settings import Settings
    from rpc_server.transport.server import Runner

from tests.database import cloned, prepare, running_postgres
from tests.fuzz.inprocess import Hung, exchange
from tests.fuzz.inputs import mutated, raw_request, seeds
from tests.fuzz.oracle import complaint
from tests.fuzz.stand import TENANT, known_ids, sessions, tokens

_SECRET = "fuzzing needs no secret of its own, but 32 bytes"
# A busy machine is slow; what is stuck is stuck for ever.
_HANG_SECONDS = 20.0
_MOST_TASKS = 300
_REPORT_EVERY = 5000


class Findings:
    """What went wrong, each kind once, with the request that did it."""

    def __init__(self, folder: Path) -> None:
        self.faults: list[str] = []
        self._folder = folder
        self._known: set[str] = set()

    def log(self, logger: object, method: str, event: MutableMapping[str, Any]) -> str:
        """Take a line of the log (a structlog processor): an error in it is a fault."""
        if method in ("error", "critical"):
            self.faults.append(_place_of(event.get("exc_info")) or str(event.get("event")))
        raise structlog.DropEvent

    def unheard(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Take what nobody caught, from the event loop: it is a fault."""
        self.faults.append(_place_of(context.get("exception")) or str(context.get("message")))

    def note(self, data: bytes, fault: str) -> None:
        """Write a fault down, if its like is not known."""
        if fault not in self._known:
            self._known.add(fault)
            name = hashlib.sha256(fault.encode()).hexdigest()[:12]
            (self._folder / f"{name}.request").write_bytes(data)
            (self._folder / f"{name}.txt").write_text(fault, encoding="utf-8")
            print(f"FINDING {name}: {fault}", flush=True)


def _place_of(error: Any) -> str | None:
    if error is True:
        error = sys.exc_info()[1]
    if not isinstance(error, BaseException):
        return None
    frames = [f"{Path(frame.filename).name}:{frame.name}:{frame.lineno}" for frame in _frames(error.__traceback__)]
    return f"{type(error).__name__} at {' < '.join(reversed(frames[-6:]))}"


def _frames(trace: TracebackType | None) -> traceback.StackSummary:
    return traceback.extract_tb(trace)


def _resident_megabytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20


def fuzz(loop: asyncio.AbstractEventLoop, runner: Runner, findings: Findings) -> None:
    """Hand over to atheris, which ends the process when it is done."""
    executions, begun = 0, time.monotonic()
    stands_for = tokens(_SECRET) | sessions(_SECRET)

    def one(data: bytes) -> None:
        nonlocal executions
        executions += 1
        findings.faults.clear()
        try:
            answer = loop.run_until_complete(exchange(runner, raw_request(data, stands_for), seconds=_HANG_SECONDS))
        except Hung:
            findings.note(data, f"no end within {_HANG_SECONDS:.0f} s")
            return
        if data.startswith(b"DELETE"):  # which may have ended one
            stands_for.update(sessions(_SECRET))
        said = complaint(answer)
        for fault in [*findings.faults, *([said] if said and not findings.faults else [])]:
            findings.note(data, fault)
        if executions % _REPORT_EVERY == 0:
            tasks = len(asyncio.all_tasks(loop))
            if tasks > _MOST_TASKS:
                findings.note(data, "tasks pile up")
            passed = time.monotonic() - begun
            print(f"RUN {executions} executions, {passed:.0f} s, {_resident_megabytes()} MB, {tasks} tasks", flush=True)

    def custom_mutator(data: bytes, max_size: int, seed: int) -> bytes:
        mutate: Callable[[bytes], bytes] = lambda given: bytes(atheris.Mutate(given, max_size))  # noqa: E731
        return mutated(data, mutate, random.Random(seed))[:max_size]

    atheris.Setup([sys.argv[0], *sys.argv[3:]], one, custom_mutator=custom_mutator)
    atheris.Fuzz()


def main(folder: Path, scratch: Path) -> None:
    """Set up a small CRM and the server on it, write the seeds, and fuzz."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    findings = Findings(folder / "findings")
    structlog.configure(processors=[findings.log])
    loop.set_exception_handler(findings.unheard)
    with running_postgres(scratch, None) as admin_url:
        cluster = loop.run_until_complete(prepare(admin_url))
        # atheris ends the process itself, and with it the database: nothing below need be taken down.
        database = cloned(cluster)
        name = loop.run_until_complete(database.__aenter__())
        ids = loop.run_until_complete(_filled(cluster.owner_url(name)))
        for number, seed in enumerate(seeds(ids)):
            (folder / "corpus" / f"seed-{number:03}").write_bytes(seed)
        fuzz(loop, loop.run_until_complete(_running(cluster.server_url(name))), findings)


async def _filled(owner_url: str) -> dict[str, str]:
    owner = await asyncpg.connect(owner_url)
    try:
        until = datetime.now(UTC).replace(microsecond=0)
        await load(owner, DemoPlan(tenant_id=TENANT, contacts=40, seed=1, until=until), lambda done: None)
        return await known_ids(owner)
    finally:
        await owner.close()


async def _running(database_url: str) -> Runner:
    settings = Settings(
        database_url=SecretStr(database_url),
        jwt_secret=SecretStr(_SECRET),
        # What never comes is not waited for: it would be most of the time.
        body_seconds=0.5,
        progress_wait_seconds=0,
        # What is refused or remembered does not get far.
        rate_limit_read=0,
        rate_limit_write=0,
        rate_limit_analysis=0,
        cache="off",
    )
    runner = Runner(make_app(settings, tools=CATALOG), access_log=None)
    await runner.setup()
    return runner


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
