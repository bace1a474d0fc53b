"""What every Python client is made to do, so that all do the same.

A driver is run by its client's own Python, gets a job as JSON on stdin and prints a JSON line for each
step: what it saw, or why it could not be done, and the seconds that it took. It judges nothing.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

STEP_SECONDS = 30
CANNOT = {"cannot": True}


@dataclass(frozen=True)
class Job:
    """Where the server is, who asks, and what to change."""

    url: str
    token: str
    # A token that may see pipelines and nothing else.
    weak_token: str
    contact_id: str
    agent_id: str
    key: str
    mode: str


@dataclass(frozen=True)
class Shown:
    """What a client shows of a tool's answer: its text, its fields where it hands them over, and whether it failed."""

    text: str
    fields: dict[str, Any] | None = None
    is_error: bool = False


class Connected(Protocol):
    """A client that is connected; its version where it tells."""

    version: str | None

    async def tools(self) -> list[str]:
        """List the names of the tools."""
        ...

    async def call(self, name: str, arguments: dict[str, Any], said: list[Any] | None = None) -> Shown | None:
        """Call a tool and put each step of its progress into *said*; None where the client cannot be asked to."""
        ...


Connect = Callable[[Job, str], AbstractAsyncContextManager[Connected]]


def hearing(said: list[Any] | None) -> Any:
    """Return what a client can tell of its progress, which writes it into *said*; None where nobody listens."""

    async def on_progress(progress: float, total: float | None, message: str | None, *context: object) -> None:
        said.append([progress, total, message])

    return None if said is None else on_progress


def play(connect: Connect, *, follows_progress: bool = True) -> None:
    """Play the whole script."""
    asyncio.run(_play(connect, Job(**json.load(sys.stdin)), follows_progress))


async def _play(connect: Connect, job: Job, follows_progress: bool) -> None:
    async with _connection(connect, job, job.token) as client:
        await _step("list", lambda: _listed(client))
        await _step("read", lambda: _called(client, "get_leads_count", {"period": "all"}))
        await _step("write", lambda: _written(client, job))
        await _step("progress", lambda: _followed(client, job) if follows_progress else _cannot())
        await _step("bad argument", lambda: _called(client, "get_leads_count", {"period": "fortnight"}))
        await _step("unknown tool", lambda: _called(client, "get_everything", {}))
    await _step("refusal", lambda: _refused(connect, job, job.weak_token))
    await _step("stranger", lambda: _refused(connect, job, "no.such.token"))


@asynccontextmanager
async def _connection(connect: Connect, job: Job, token: str) -> AsyncIterator[Connected]:
    begun = time.perf_counter()
    try:
        async with connect(job, token) as client:
            _print("connect", begun, {"version": client.version})
            yield client
    except BaseException as error:
        _print("connect", begun, {"raised": told(error)})
        raise


async def _step(name: str, take: Callable[[], Awaitable[dict[str, Any]]]) -> None:
    begun = time.perf_counter()
    try:
        async with asyncio.timeout(STEP_SECONDS):
            seen = await take()
    except TimeoutError:
        seen = {"hung": True}
    except Exception as error:
        seen = {"raised": told(error)}
    _print(name, begun, seen)


def _print(step: str, begun: float, seen: dict[str, Any]) -> None:
    print(json.dumps({"step": step, "seconds": round(time.perf_counter() - begun, 3), **seen}), flush=True)


async def _cannot() -> dict[str, Any]:
    return CANNOT


async def _listed(client: Connected) -> dict[str, Any]:
    return {"tools": await client.tools()}


async def _called(client: Connected, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    shown = await client.call(name, arguments)
    return CANNOT if shown is None else vars(shown)


async def _written(client: Connected, job: Job) -> dict[str, Any]:
    arguments = {"contact_id": job.contact_id, "status": "qualified", "idempotency_key": job.key}
    answers = [await client.call("qualify_lead", arguments) for _ in range(2)]
    return {"answers": [vars(answer) for answer in answers if answer is not None]}


async def _followed(client: Connected, job: Job) -> dict[str, Any]:
    said: list[Any] = []
    shown = await client.call("analyze_agent_messages", {"agent_id": job.agent_id, "sample_size": 20}, said)
    return CANNOT if shown is None else {"said": said, **vars(shown)}


async def _refused(connect: Connect, job: Job, token: str) -> dict[str, Any]:
    async with connect(job, token) as client:
        return await _called(client, "list_agents", {})


def told(error: BaseException) -> str:
    """Return what an error says; of a group, what each of its errors says."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(told(inner) for inner in error.exceptions)
    cause = f" ({told(error.__cause__)})" if error.__cause__ is not None else ""
    return f"{type(error).__name__}: {error}{cause}"
