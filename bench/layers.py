"""Where a cached call's microseconds go: `python -m bench.layers`; see docs/performance.md.

The application runs in this process and on no socket: requests are handed to its connections as bytes, and answers
are taken from a transport that keeps nothing. An answer from memory passes by the layers; so that their costs can be
told, the same call is also made through them, each of which is left out once. CPU time, the least of many batches, so
that a busy machine shows little.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stderr
from time import process_time
from typing import Annotated, Any, cast
from unittest.mock import patch

import orjson
import structlog
import typer
import uvloop
from aiohttp import web

import rpc_server.app as composition
from bench.contenders import SECRETS, TOKENS, Shape, as_sent, mcp_session, mcp_stateless, rest, rpc
from bench.stand import Question, Stand, standing
from rpc_server.app import make_app
from rpc_server.backends.logs import configure_logs
from rpc_server.calls.layers import Layer, pass_by
from rpc_server.settings import Settings
from rpc_server.transport.server import Runner

_CLIENTS = 8
_CALLS = 400
ROADS: dict[str, Shape] = {"/mcp 2026-07-28": mcp_stateless, "/mcp 2025-11-25": mcp_session, "/rpc": rpc, "REST": rest}
LAYERS = ("trace", "metrics", "log", "limit", "audit", "deadline", "permit", "validate", "cache")
# Without the others there is no answer, or another one.
LEFT_OUT = ("metrics", "log", "limit", "audit", "deadline", "permit")
ALL = "through all layers"


class Sink(asyncio.Transport):
    """A transport that takes answers and tells of them."""

    def __init__(self, answered: Callable[[bytes], None]) -> None:
        super().__init__()
        self._answered = answered

    def write(self, data: Any) -> None:
        """Take a part of an answer."""
        self._answered(bytes(data))

    def writelines(self, list_of_data: Any) -> None:
        """Take an answer."""
        self._answered(b"".join(list_of_data))

    def is_closing(self) -> bool:
        """Be open."""
        return False

    def get_write_buffer_size(self) -> int:
        """Be empty."""
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Pass over it."""

    def pause_reading(self) -> None:
        """Pass over it."""

    def resume_reading(self) -> None:
        """Pass over it."""

    def close(self) -> None:
        """Pass over it."""

    def abort(self) -> None:
        """Pass over it."""


async def answer_of(server: web.Server, request: bytes) -> bytes:
    """Send one request, and return its answer."""
    answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    connection = server()

    def take(data: bytes) -> None:
        if not answered.done():
            answered.set_result(data)

    connection.connection_made(Sink(take))
    connection.data_received(request)
    try:
        return await asyncio.wait_for(answered, 30)
    finally:
        connection.connection_lost(None)


async def batch(server: web.Server, request: bytes) -> float:
    """Make _CALLS calls over _CLIENTS connections, and return the CPU seconds of each."""
    loop, to_send, to_come = asyncio.get_running_loop(), _CALLS, _CALLS
    ended: asyncio.Future[None] = loop.create_future()
    connections = []

    def open_one() -> None:
        def send() -> None:
            nonlocal to_send
            if to_send:
                to_send -= 1
                loop.call_soon(connection.data_received, request)

        def answered(data: bytes) -> None:
            nonlocal to_come
            to_come -= 1
            send()
            if not to_come:
                ended.set_result(None)

        connection = server()
        connections.append(connection)
        connection.connection_made(Sink(answered))
        send()

    began = process_time()
    for _ in range(_CLIENTS):
        open_one()
    await ended
    spent = process_time() - began
    for connection in connections:
        connection.connection_lost(None)
    return spent / _CALLS


@contextmanager
def _without(part: str) -> Iterator[None]:
    """Leave one layer out."""
    whole, nothing = composition.layers, patch.object(composition, "_recall", lambda *_: None)

    def fewer(*arguments: Any, **options: Any) -> tuple[Layer, ...]:
        return tuple(
            pass_by if name == part else layer for name, layer in zip(LAYERS, whole(*arguments, **options), strict=True)
        )

    with patch.object(composition, "layers", fewer), nothing if part else nullcontext():
        yield


def _server(stand: Stand, part: str = "") -> Runner:
    settings = Settings(
        database_url=cast("Any", stand.url),
        rate_limit_read=100_000,
        cache="memory",
        **cast("dict[str, Any]", {name.lower(): value for name, value in SECRETS.items()}),
    )
    with _without(part):
        app = make_app(settings)
    return Runner(app, access_log=None)


async def _canned(request: web.Request) -> web.Response:
    orjson.loads(await request.read())
    return web.Response(body=b"x" * 1700, content_type="application/json")


def _bare() -> web.AppRunner:
    app = web.Application()
    app.add_routes([web.post("/mcp", _canned)])
    return web.AppRunner(app, access_log=None)


async def _measured(runners: dict[str, tuple[web.AppRunner, bytes]], rounds: int) -> dict[str, float]:
    """Return the least CPU time of each, in µs; they take turns."""
    found: dict[str, float] = {}
    for _ in range(rounds):
        for name, (runner, request) in runners.items():
            assert runner.server is not None
            found[name] = min(found.get(name, 1.0), await batch(runner.server, request))
    return {name: seconds * 1e6 for name, seconds in found.items()}


async def _all(rounds: int, road: str, parts: bool) -> None:
    async with standing(30) as stand:
        question = stand.questions[0]
        runners: dict[str, tuple[web.AppRunner, bytes]] = {}
        bare = _bare()
        await bare.setup()
        runners["handler alone"] = bare, _request(mcp_stateless, question)
        left_out = ["", ALL, *LEFT_OUT] if parts else [""]
        for part in left_out:
            runner = _server(stand, part)
            await runner.setup()
            assert runner.server is not None
            for name, shape in ROADS.items() if not part else [(road, ROADS[road])]:
                session = await _session(runner.server) if shape is mcp_session else ""
                request = _request(shape, question, session)
                for _ in range(2):
                    answer = await answer_of(runner.server, request)
                if f'"total_leads":{question.leads}'.encode() not in answer or b'"hit":true' not in answer:
                    raise SystemExit(f"{part or name} answers otherwise:\n{answer.decode()}")
                runners[{"": name, ALL: f"{name} {ALL}"}.get(part, f"without {part}")] = runner, request
        found = await _measured(runners, rounds)
        for name, cost in found.items():
            saved = f"  costs {found[f'{road} {ALL}'] - cost:6.1f}" if name.startswith("without") else ""
            print(f"{name:36} {cost:7.1f} µs  {cost / found['handler alone']:5.2f} of the handler alone{saved}")
        for each in {runner for runner, _ in runners.values()}:
            await each.cleanup()


def _request(shape: Shape, question: Question, session: str = "") -> bytes:
    path, headers, body = shape(question.arguments)
    own = {"Authorization": f"Bearer {TOKENS[0]}", **({"Mcp-Session-Id": session} if session else {})}
    return as_sent(path, {**headers, **own}, orjson.dumps(body).decode(), 80).encode()


async def _session(server: web.Server) -> str:
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}
    body = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
    head = {"Authorization": f"Bearer {TOKENS[0]}"}
    answer = await answer_of(server, as_sent("/mcp", head, orjson.dumps(body).decode(), 80).encode())
    return answer.partition(b"Mcp-Session-Id: ")[2].partition(b"\r\n")[0].decode()


def main(
    rounds: Annotated[int, typer.Option(min=1, help="How many batches of each.")] = 30,
    road: Annotated[
        str, typer.Option(help=f"Of which road the parts are told: {', '.join(ROADS)}.")
    ] = "/mcp 2026-07-28",
    parts: Annotated[bool, typer.Option(help="Leave each part out, to see what it costs.")] = True,
) -> None:
    """Print what a cached call costs on each road, and what each layer and middleware has of it."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        structlog.configure(cache_logger_on_first_use=True)  # as every process of ours
        with redirect_stderr(nowhere):
            configure_logs("json", "info")
        uvloop.run(_all(rounds, road, parts))


if __name__ == "__main__":
    typer.run(main)
