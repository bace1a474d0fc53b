"""A server that answers as a test says, and remembers what it was asked."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import orjson
from aiohttp import web
from multidict import CIMultiDictProxy

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

LIST = "/v1/tools/list"
TOOLS = {
    "tools": [
        {"name": "read", "annotations": {"readOnlyHint": True}},
        {"name": "write", "annotations": {"readOnlyHint": False}},
        {"name": "silent"},
    ],
    "count": 3,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: CIMultiDictProxy[str]
    body: Any
    at: float


@dataclass(slots=True)
class Impostor:
    """Gives its answers one after the other to all that is asked, but for the list of tools; the last one for ever."""

    url: str = ""
    answers: list[Handler] = field(default_factory=list)
    lists: list[Handler] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Set at the end of the test, for handlers that wait."""

    @property
    def calls(self) -> list[Asked]:
        """What was asked but for lists."""
        return [asked for asked in self.asked if asked.path != LIST]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Remember the request and answer it."""
        body = await request.read()
        at = asyncio.get_running_loop().time()
        said = orjson.loads(body) if body else None
        self.asked.append(Asked(request.method, request.path, request.headers, said, at))
        answers = self.lists if request.path == LIST else self.answers
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return await answer(request)

    async def hang(self, request: web.Request) -> web.StreamResponse:
        """Answer nothing as long as the test lasts."""
        await self.over.wait()
        return web.Response()


@asynccontextmanager
async def running_impostor(port: int = 0) -> AsyncIterator[Impostor]:
    """Start one, on a free port or a given one."""
    impostor = Impostor(answers=[good({"ok": True})], lists=[json_answer(TOOLS)])
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", impostor.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    impostor.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield impostor
    finally:
        impostor.over.set()
        await runner.cleanup()


def json_answer(content: Any, status: int = 200, **headers: str) -> Handler:
    """Answer JSON."""
    return plain_answer(orjson.dumps(content), status, "application/json", **headers)


def plain_answer(body: bytes, status: int = 200, kind: str = "text/html", **headers: str) -> Handler:
    """Answer bytes; an underscore in a header's name is a hyphen."""

    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(body=body, status=status, content_type=kind, headers=_named(headers))

    return answer


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def good(result: dict[str, Any]) -> Handler:
    """Answer as a tool that succeeded."""
    return json_answer({"tool_name": "read", "result": result, "timestamp": "2026-11-22T12:00:00Z"})


def refused(status: int, code: str, *, retry_after: str | None = None, **details: Any) -> Handler:
    """Answer an error in the server's own shape."""
    headers = {} if retry_after is None else {"Retry_After": retry_after}
    return json_answer({"error": {"code": code, "message": "No.", **details}}, status, **headers)


async def hang_up(request: web.Request) -> web.StreamResponse:
    """Close the connection without an answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def break_off(request: web.Request) -> web.StreamResponse:
    """Close the connection in the middle of an answer."""
    response = web.StreamResponse(headers={"Content-Length": "1000", "Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b'{"tool_name": "read", ')
    assert request.transport is not None
    request.transport.close()
    return response


def step(stage: str, progress: float, number: int | None = None, **data: Any) -> bytes:
    """Return an event as the server writes it."""
    content = {
        "stage": stage,
        "progress": progress,
        "message": f"{stage}.",
        "data": data,
        "timestamp": "2026-11-22T12:00:00Z",
    }
    event_id = b"" if number is None else b"id: %d\r\n" % number
    return event_id + b"data: " + orjson.dumps(content) + b"\r\n\r\n"


def stream(*pieces: bytes, then: Handler | None = None, **headers: str) -> Handler:
    """Answer a stream of *pieces*, each a write of its own, and end it or go on with *then*."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", **_named(headers)})
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
        if then is not None:
            await then(request)
        return response

    return answer
