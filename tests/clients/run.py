"""`make clients`: each client plays one script against a server, and against two that take turns.

`python -m tests.clients.run [WORD …] [--told]` tries only the clients in whose name a WORD stands;
--told prints what each shows of what goes wrong.
"""

import asyncio
import json
import sys
import tempfile
import time
from asyncio.subprocess import PIPE
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from tests.clients.environments import program, variables
from tests.clients.judge import STEPS, Seen, Verdict, judged
from tests.clients.pins import CLIENTS, Client
from tests.clients.stage import Stage, staged

ROUTES = ("direct", "two in turn")
_RUN_SECONDS = 240


@dataclass(frozen=True, slots=True)
class Run:
    """A client's run on a route: the verdicts, and what the proxy saw of it."""

    client: Client
    route: str
    verdicts: dict[str, Verdict]
    faults: list[str]
    passed: str = ""

    @property
    def has_failed(self) -> bool:
        return bool(self.faults) or any(verdict.mark == "✗" for verdict in self.verdicts.values())


async def main(arguments: list[str]) -> int:
    """Play with all clients and print a table; return the exit code."""
    words = [word.lower() for word in arguments if not word.startswith("--")]
    chosen = [client for client in CLIENTS if not words or any(word in client.name.lower() for word in words)]
    programs = {client: program(client.environment, client.driver) for client in chosen}
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        async with staged(Path(folder)) as stage:
            print(_row("client", "version", "route", [*STEPS, "requests"]), flush=True)
            runs: list[Run] = []
            for client in chosen:
                for run in await asyncio.gather(*(_played(client, programs[client], route, stage) for route in ROUTES)):
                    runs.append(run)
                    print(_row_of(run), flush=True)
            complaints = stage.complaints()
    print(f"\n{len(runs)} runs in {time.perf_counter() - begun:.0f} s.")
    for run in runs:
        _tell(run, everything="--told" in arguments)
    print("\n".join(["", "The servers complained:", *complaints]) if complaints else "The servers logged no error.")
    return 1 if complaints or not runs or any(run.has_failed for run in runs) else 0


async def _played(client: Client, program: list[str], route: str, stage: Stage) -> Run:
    """Have a client play the script, as a user of its own."""
    user = f"{client.name}, {route}"
    token = stage.token(user, ["*"])
    weak_token = stage.token(user, ["pipelines.view"])
    url = stage.direct if route == "direct" else stage.proxy.url
    job = {
        "url": f"{url}/mcp",
        "token": token,
        "weak_token": weak_token,
        "contact_id": stage.facts.undecided.pop(),
        "agent_id": stage.facts.agent,
        "key": str(uuid4()),
        "mode": client.mode,
    }
    seen, said = await _driven(client, program, job)
    verdicts = judged(client, stage.facts, seen)
    faults = [f"the driver says: {said}"] if any(verdict.mark == "✗" for verdict in verdicts.values()) else []
    if url == stage.direct:
        return Run(client, route, verdicts, faults)
    passed = [request for request in stage.proxy.passed if request.authorization == f"Bearer {token}"]
    shares = [sum(request.server == number for request in passed) for number in (0, 1)]
    versions = {request.version for request in passed} - {None}
    if not all(shares):
        faults.append("did not meet both servers")
    if versions - {client.version}:
        faults.append(f"spoke {versions}")
    return Run(client, route, verdicts, faults, f"{shares[0]} + {shares[1]}")


async def _driven(client: Client, program: list[str], job: dict[str, str]) -> tuple[dict[str, Seen], str]:
    """Run a driver; return what it printed of each step, and what it had to say besides."""
    process = await asyncio.create_subprocess_exec(
        *program, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=variables(client.environment)
    )
    try:
        async with asyncio.timeout(_RUN_SECONDS):
            out, said = await process.communicate(json.dumps(job).encode())
    except TimeoutError:
        process.kill()
        out, said = await process.communicate()
    steps = [json.loads(line) for line in out.decode().splitlines() if line.startswith('{"step"')]
    return {step["step"]: step for step in steps}, said.decode(errors="replace")[-3000:]


def _row_of(run: Run) -> str:
    cells = [
        verdict.mark if verdict.mark == "–" else f"{verdict.mark} {verdict.seconds:.2f}"
        for verdict in run.verdicts.values()
    ]
    return _row(run.client.name, run.client.version, run.route, [*cells, run.passed])


def _row(name: str, version: str, route: str, cells: list[str]) -> str:
    return f"{name:29} {version:10} {route:12}" + "".join(f"{cell:>13}" for cell in cells)


def _tell(run: Run, *, everything: bool) -> None:
    lines = [
        f"  {step}: {verdict.mark} {verdict.why}"
        for step, verdict in run.verdicts.items()
        if verdict.mark == "✗" or (everything and verdict.why)
    ]
    lines += [f"  {fault}" for fault in run.faults]
    if lines:
        print("\n".join([f"\n{run.client.name}, {run.route}", *lines]))


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
