"""Servers started, looked at and put under load."""

import asyncio
import re
import socket
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from pydantic import BaseModel

from bench.contenders import TOKENS, Contender, Server
from bench.load import Order, Outcome
from bench.processes import Usage, family, megabytes
from bench.stand import Question, Stand
from rpc_server.settings import ROOT

_START_SECONDS = 60.0
_ASK_SECONDS = 30.0
# Its figures, whichever way an answer is wrapped: as JSON, or as JSON within a text.
_FIGURE = r'\\?"{}\\?":\s?(\d+)'
FIGURES = ("total_leads", "qualified_leads", "unqualified_leads", "undecided_leads", "opportunities")


class Run(BaseModel):
    """One run of one contender, per call where it says so; CPU in µs, latencies in ms, *others* a share of 1."""

    contender: str
    days: int
    connections: int
    round: int
    calls_per_second: float
    p50: float
    p95: float
    p99: float
    longest: float
    server_cpu: float
    database_cpu: float
    load_cpu: float
    others: float
    wrong: int
    first_wrong: str | None


@dataclass(slots=True)
class Running:
    """A server that runs."""

    server: Server
    port: int
    process: asyncio.subprocess.Process
    log: Path

    @property
    def megabytes(self) -> float:
        """Return its memory."""
        return megabytes(family(self.process.pid))


@asynccontextmanager
async def running(server: Server, folder: Path) -> AsyncIterator[Running]:
    """Start a server on a free port; it may not listen yet."""
    port = _free_port()
    log = folder / f"{re.sub('[^a-z0-9]+', '-', server.name.lower())}.log"
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *(str(port) if part == "PORT" else part for part in server.command),
            cwd=ROOT,
            env=server.environment,
            stdin=DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield Running(server, port, process, log)
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _START_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()


async def answered(contender: Contender, question: Question, at: Running) -> str:
    """Wait until a contender gives a right answer, and return it; raises SystemExit where it gives another one."""
    request = contender.requests(question, at.port, await sessions_of(contender, at))[0]
    until = time.monotonic() + _START_SECONDS
    while True:
        try:
            answer = await asked(at.port, request)
            break
        except OSError:
            if at.process.returncode is not None or time.monotonic() > until:
                raise SystemExit(f"{contender.name} does not start; see {at.log}") from None
            await asyncio.sleep(0.005)
    figures = figures_in(answer)
    if not answer.startswith("HTTP/1.1 200 ") or (not contender.is_canned and figures["total_leads"] != question.leads):
        raise SystemExit(f"{contender.name} answers otherwise than SQL ({question.leads} leads):\n{answer[:3000]}")
    return answer


async def sessions_of(contender: Contender, at: Running) -> dict[str, str]:
    """Begin a session for each user, where the contender has sessions."""
    if not contender.has_sessions:
        return {}
    await _listening(at)
    return {token: await _begun(at.port, token) for token in TOKENS}


async def _listening(at: Running) -> None:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and at.process.returncode is None:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", at.port)
            writer.close()
            return
        except OSError:
            await asyncio.sleep(0.01)


async def _begun(port: int, token: str) -> str:
    params = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "bench", "version": "1"},
    }
    body = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json, text/event-stream"}
    address = f"http://127.0.0.1:{port}/mcp"
    async with aiohttp.ClientSession() as client, client.post(address, json=body, headers=headers) as response:
        return response.headers["Mcp-Session-Id"]


async def asked(port: int, request: str) -> str:
    """Send a request as it stands, and return the answer as it comes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request.replace("\r\n", "\r\nConnection: close\r\n", 1).encode())
        async with asyncio.timeout(_ASK_SECONDS):
            return (await reader.read()).decode()
    finally:
        writer.close()


def figures_in(answer: str) -> dict[str, int]:
    """Return the figures that stand in an answer."""
    found = {name: re.search(_FIGURE.format(name), answer) for name in FIGURES}
    return {name: int(match[1]) for name, match in found.items() if match}


def marks_of(contender: Contender, answer: str) -> list[str]:
    """Return what must stand in every answer: the figures, as this contender writes them."""
    if contender.is_canned:
        return ["total_leads"]
    found = [re.search(_FIGURE.format(name), answer) for name in FIGURES]
    return [match[0] for match in found if match]


async def measured(
    contender: Contender, question: Question, at: Running, stand: Stand, *, connections: int, seconds: float, round: int
) -> Run:
    """Put a contender under load for a while."""
    answer = await answered(contender, question, at)
    order = Order(
        port=at.port,
        requests=contender.requests(question, at.port, await sessions_of(contender, at)),
        marks=marks_of(contender, answer),
        kept=list(contender.marks),
        connections=connections,
        seconds=seconds,
    )
    before, began = Usage.now(at.process.pid, stand.process), time.perf_counter()
    outcome = await _load(order)
    lasted = time.perf_counter() - began
    used = Usage.now(at.process.pid, stand.process).since(before)
    each = 1e6 / outcome.calls
    return Run(
        contender=contender.name,
        days=question.days,
        connections=connections,
        round=round,
        calls_per_second=outcome.calls / outcome.seconds,
        p50=outcome.latencies[0],
        p95=outcome.latencies[1],
        p99=outcome.latencies[2],
        longest=outcome.latencies[3],
        server_cpu=used.server * each,
        database_cpu=used.database * each,
        load_cpu=outcome.cpu_seconds * each,
        others=used.others(lasted, outcome.cpu_seconds),
        wrong=outcome.wrong,
        first_wrong=outcome.first_wrong,
    )


async def cold_start(contender: Contender, question: Question, folder: Path) -> float:
    """Return the seconds from starting a server to its first right answer."""
    began = time.perf_counter()
    async with running(contender.server, folder) as at:
        await answered(contender, question, at)
        return time.perf_counter() - began


async def _load(order: Order) -> Outcome:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.load", cwd=ROOT, stdin=PIPE, stdout=PIPE
    )
    said, _ = await process.communicate(order.model_dump_json().encode())
    return Outcome.model_validate_json(said)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
