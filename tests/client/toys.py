"""Tools that stream as a test needs it, on the real server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from aiohttp import ClientSession, web
from pydantic import Field, SecretStr

from handlers import CATALOG
from rpc_server.app import make_app
from rpc_server.contract.arguments import Arguments
from rpc_server.contract.errors import DependencyUnavailable
from rpc_server.contract.result import Result
from rpc_server.contract.tool import Call, catalog, tool
from rpc_server.settings import Settings
from rpc_server.transport.server import Runner
from tests.conftest import SECRET, UNLIMITED, Server


class Agents(Arguments):
    """Whom to compare."""

    agent_ids: Annotated[list[str], Field(min_length=2, max_length=5)]


class Comparison(Result):
    """Who is first."""

    winner: str

    def text(self) -> str:
        return self.winner

    def highlights(self) -> dict[str, Any]:
        return {"winner": self.winner}


class Gate:
    """Holds the tools that wait, until the test lets them go."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.cancelled = asyncio.Event()


GATES: dict[str, Gate] = {}


def gate(request_id: str) -> Gate:
    """Return the gate of the call with that id."""
    return GATES.setdefault(request_id, Gate())


@tool(title="Compare", permission="analytics.view", streams=True)
async def compare_agents(call: Call, arguments: Agents) -> Comparison:
    """Compare."""
    for number, agent in enumerate(arguments.agent_ids):
        call.progress.report("analyzing", number / len(arguments.agent_ids), f"Agent {agent}.", agent_id=agent)
    return Comparison(winner=arguments.agent_ids[0])


@tool(title="Wait", permission="analytics.view", streams=True)
async def wait(call: Call, arguments: Agents) -> Comparison:
    """Wait in the middle."""
    call.progress.report("analyzing", 0.5, "Half of it.")
    try:
        await gate(call.request_id).open.wait()
    except asyncio.CancelledError:
        gate(call.request_id).cancelled.set()
        raise
    return Comparison(winner=arguments.agent_ids[0])


@tool(title="Fail", permission="analytics.view", streams=True)
async def fail(call: Call, arguments: Agents) -> Comparison:
    """Fail in the middle."""
    call.progress.report("analyzing", 0.5, "Half of it.")
    raise DependencyUnavailable("The model does not answer.", retry_after=3)


TOYS = catalog((CATALOG["get_leads_count"], compare_agents, wait, fail))


@asynccontextmanager
async def serving_toys(database_url: str, **changed: Any) -> AsyncIterator[Server]:
    """Start a server that has these tools."""
    GATES.clear()
    settings = Settings(
        database_url=SecretStr(database_url),
        jwt_secret=SecretStr(SECRET),
        log_level="error",
        **{**UNLIMITED, **changed},
    )
    runner = Runner(make_app(settings, tools=TOYS), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with ClientSession() as session:
            yield Server(f"http://127.0.0.1:{runner.addresses[0][1]}", session)
    finally:
        await runner.cleanup()
