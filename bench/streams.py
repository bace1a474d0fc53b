"""A thousand progress streams at a time: memory of each, and how late its events come: `python -m bench.streams`.

The server is a process of its own with every layer on; its tool reports once a second. An event bears the time at
which the tool reported it, so what is measured is the way from the tool to a reader on the same machine, the reader's
own turn included.
"""

import asyncio
import os
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from typing import Annotated, Any

import orjson
import typer
import uvloop
from aiohttp import ClientSession, ClientTimeout, TCPConnector, web
from pydantic import Field, SecretStr

from bench.arena import Running, running
from bench.contenders import SECRETS, Server
from bench.processes import Usage
from bench.stand import TENANT, Stand, standing
from rpc_server.app import make_app
from rpc_server.backends.logs import configure_logs
from rpc_server.backends.tokens import Tokens
from rpc_server.contract.arguments import Arguments
from rpc_server.contract.result import Result
from rpc_server.contract.tool import Call, catalog, tool
from rpc_server.settings import Settings
from rpc_server.transport.server import Runner

_EVERY_SECONDS = 1.0
_START_SECONDS = 30.0
# A user may have 256 calls running.
_USERS = 16


class Ticks(Arguments):
    """How often it reports."""

    ticks: int = Field(ge=1, le=1_000)


class Ticked(Result):
    """How often it has."""

    ticks: int

    def text(self) -> str:
        """Say so."""
        return f"{self.ticks} ticks."


@tool(title="Tick", permission="analytics.view", streams=True, timeout_seconds=600)
async def tick(call: Call, arguments: Ticks) -> Ticked:
    """Report once a second."""
    for number in range(arguments.ticks):
        call.progress.report("analyzing", (number + 1) / (arguments.ticks + 1), f"Tick {number}.")
        await asyncio.sleep(_EVERY_SECONDS)
    return Ticked(ticks=arguments.ticks)


def main(
    streams: Annotated[list[int], typer.Option(min=1, help="How many at a time.")] = [100, 1_000],  # noqa: B006
    seconds: Annotated[int, typer.Option(min=3, help="How long each stream is.")] = 15,
) -> None:
    """Open streams, all at once, and follow them to their ends."""
    uvloop.run(_measured(streams, seconds))


async def _measured(streams: list[int], seconds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with standing(30) as stand:
            environment = {**os.environ, **SECRETS, "DATABASE_URL": stand.url}
            server = Server("ours", (sys.executable, "-m", "bench.streams", "--serve", "PORT"), environment)
            async with running(server, Path(folder)) as at:
                await _ready(at)
                for number in streams:
                    await _followed(at, stand, number, seconds)


async def _ready(at: Running) -> None:
    async with ClientSession() as client, asyncio.timeout(_START_SECONDS):
        while True:
            try:
                async with client.get(f"http://127.0.0.1:{at.port}/ready") as response:
                    if response.status == 200:
                        return
            except OSError:
                await asyncio.sleep(0.05)


async def _followed(at: Running, stand: Stand, streams: int, seconds: int) -> None:
    tokens = Tokens(SECRETS["JWT_SECRET"])
    users = [tokens.sign(TENANT, f"user-{number}", ["*"], timedelta(hours=1)) for number in range(_USERS)]
    before, used = at.megabytes, Usage.now(at.process.pid, stand.process)
    began, own = time.perf_counter(), time.process_time()
    connections = TCPConnector(limit=0)
    async with ClientSession(connector=connections, timeout=ClientTimeout(None)) as client:
        url = f"http://127.0.0.1:{at.port}/v1/tools/tick/stream?ticks={seconds}"
        async with asyncio.TaskGroup() as group:
            following = [group.create_task(_lateness(client, url, users[number % _USERS])) for number in range(streams)]
            await asyncio.sleep(seconds / 2)
            meanwhile = at.megabytes
    late = [each for one in following for each in one.result()]
    lasted = time.perf_counter() - began
    spent = Usage.now(at.process.pid, stand.process).since(used)
    others = spent.others(lasted, time.process_time() - own)
    late_of_a_hundred, kilobytes = quantiles(late, n=100)[98], (meanwhile - before) * 1024 / streams
    print(
        f"{streams:5} streams, {len(late):6} events: p50 {median(late):6.2f} ms, p99 {late_of_a_hundred:7.2f} ms, "
        f"longest {max(late):7.2f} ms; {before:.0f} MB before, {kilobytes:.1f} KB a stream; server CPU "
        f"{spent.server * 1e6 / len(late):.0f} µs an event, {spent.server / lasted:.0%} of one; others {others:.0%}",
        flush=True,
    )


async def _lateness(client: ClientSession, url: str, token: str) -> list[float]:
    """Follow a stream to its end, and return how many ms after the tool's report each event came."""
    late = []
    async with client.get(url, headers={"Authorization": f"Bearer {token}"}) as response:
        if response.status != 200:
            raise RuntimeError(f"{response.status}: {await response.text()}")
        async for line in response.content:
            if line.startswith(b"data: "):
                said: dict[str, Any] = orjson.loads(line[6:])
                if said["stage"] == "error":
                    raise RuntimeError(said["message"])
                late.append((datetime.now(UTC) - datetime.fromisoformat(said["timestamp"])).total_seconds() * 1e3)
    return late


async def _serve(port: int) -> None:
    settings = Settings(
        jwt_secret=SecretStr(SECRETS["JWT_SECRET"]),
        rate_limit_read=0,
        rate_limit_analysis=0,
        analysis_concurrency=0,
        log_level="warning",
    )
    configure_logs("json", "warning")
    runner = Runner(make_app(settings, tools=catalog([tick])), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=2_048).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        uvloop.run(_serve(int(sys.argv[2])))
    else:
        typer.run(main)
