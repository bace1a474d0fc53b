"""A server that speaks Vertex AI's wire format, as well or as badly as a test wants it to."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from aiohttp import web

PROJECT = "a-project"
MODEL = "gemini-3.5-flash"
TOKENS = 321


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came over the wire."""

    at: float
    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]

    @property
    def instructions(self) -> str:
        """Return the system's instructions."""
        return "".join(part["text"] for part in self.body["systemInstruction"]["parts"])

    @property
    def content(self) -> str:
        """Return what was to be answered."""
        return "".join(part["text"] for content in self.body["contents"] for part in content["parts"])

    @property
    def messages(self) -> dict[str, str]:
        """Return the texts to judge, by their ids."""
        lines = [json.loads(line) for line in self.content.split("\n")[1:-1]]
        return {line["id"]: line["text"] for line in lines if line["kind"] == "message"}

    @property
    def has_brand(self) -> bool:
        """Tell whether there is a guide to judge by."""
        return '"kind": "brand"' in self.content


Answer: TypeAlias = Callable[[Asked, web.Request], Awaitable[web.StreamResponse]]


def verdict(id: str, text: str, *, brand: bool = False, score: Any = 7, **changed: Any) -> dict[str, Any]:
    """Return a verdict that holds: each score with the first words of the text as its quote."""
    quote = " ".join(text.split()[:4])
    dimensions: dict[str, Any] = {
        "grammar": {"findings": [{"evidence": quote, "kind": "spelling"}], "score": score},
        "tone": {"findings": [{"evidence": quote, "kind": "cold"}], "label": "neutral", "score": score},
    }
    if brand:
        dimensions["brand"] = {"findings": [{"evidence": quote, "kind": "follows_guide"}], "score": score}
    return {"id": id, **dimensions, **changed}


def judged(asked: Asked, **changed: Any) -> list[dict[str, Any]]:
    """Return a verdict that holds for each message."""
    return [verdict(id, text, brand=asked.has_brand, **changed) for id, text in asked.messages.items()]


def generated(content: Any, *, tokens: int | None = TOKENS, finish: str = "STOP", **more: Any) -> web.Response:
    """Return an answer in Vertex AI's format; *content* is JSON, or a text as it is."""
    text = content if isinstance(content, str) else json.dumps(content)
    candidate = {"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": finish}
    usage = {} if tokens is None else {"usageMetadata": {"totalTokenCount": tokens}}
    return web.json_response({"candidates": [candidate], **usage, **more})


def refused(status: int, **headers: str) -> web.Response:
    """Return an error in Vertex AI's format, with a text that nobody should ever see."""
    error = {"code": status, "message": "internal words of a-project", "status": "SOMETHING"}
    return web.json_response(
        {"error": error}, status=status, headers={k.replace("_", "-"): v for k, v in headers.items()}
    )


async def well(asked: Asked, request: web.Request) -> web.StreamResponse:
    """Judge as an honest model does."""
    return generated({"messages": judged(asked)})


def always(response: Callable[[], web.Response]) -> Answer:
    """Answer each request with a new *response*."""

    async def answer(asked: Asked, request: web.Request) -> web.StreamResponse:
        return response()

    return answer


@dataclass(slots=True)
class FakeVertex:
    """The server: how it answers, and what it was asked."""

    answer: Answer = well
    asked: list[Asked] = field(default_factory=list)
    running: int = 0
    most_running: int = 0
    gone: int = 0
    gives_tokens: bool = True
    tokens_given: int = 0
    url: str = ""

    async def generate(self, request: web.Request) -> web.StreamResponse:
        """Take a request and answer it, noting whether the client stayed."""
        asked = Asked(time.monotonic(), request.path, request.headers, await request.json())
        self.asked.append(asked)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            return await self.answer(asked, request)
        except asyncio.CancelledError:
            self.gone += 1
            raise
        finally:
            self.running -= 1

    async def token(self, request: web.Request) -> web.StreamResponse:
        """Give an access token for a service account's signed claim."""
        if not self.gives_tokens:
            return web.json_response({"error": "invalid_grant", "error_description": "internal words"}, status=400)
        self.tokens_given += 1
        return web.json_response({"access_token": "fake-token", "expires_in": 3600, "token_type": "Bearer"})


@asynccontextmanager
async def running_fake() -> AsyncIterator[FakeVertex]:
    """Run a fake on a free port."""
    fake = FakeVertex()
    app = web.Application(client_max_size=10 * 1024 * 1024)
    models = "/v1/projects/{project}/locations/{location}/publishers/google/models"
    app.add_routes(
        [web.post(models + "/{model:[^:/]+}:generateContent", fake.generate), web.post("/token", fake.token)]
    )
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield fake
    finally:
        await runner.cleanup()
