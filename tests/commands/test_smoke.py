"""`smoke` against real servers: good, without data, with half a token, broken, and not there."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from aiohttp import web

from handlers.demo import DemoPlan
from rpc_server.commands.demo import load
from tests.commands.program import Said, command
from tests.conftest import SECRET, Crm, Server, StartServer

CHECKS = [
    "health",
    "ready",
    "a stranger is refused",
    "tools/list",
    "a read",
    "a write, as a dry run",
    "a stream, to its end",
    "MCP with sessions",
    "MCP without sessions",
]
TENANT = "aurora"


async def smoke(url: str, *options: str, **environment: str) -> Said:
    """Run the command in a thread: it has a loop of its own, and the server lives in this one."""
    return await asyncio.to_thread(command, "smoke", "--url", url, *options, **{"JWT_SECRET": SECRET, **environment})


def marks(said: Said) -> dict[str, str]:
    """Return the mark of each check that was made."""
    lines = said.out.splitlines()
    return {name: line[0] for line in lines for name in CHECKS if line[2:].startswith(f"{name} ")}


def failed(said: Said) -> list[str]:
    return [name for name, mark in marks(said).items() if mark == "✗"]


@pytest.fixture
async def filled(crm: Crm, server: Server) -> Server:
    """A server with a tenant to try."""
    await load(crm.owner, DemoPlan(tenant_id=TENANT, contacts=40, seed=1, until=datetime.now(UTC)), lambda done: None)
    return server


async def test_all_checks_pass_on_a_server_that_works(filled: Server, crm: Crm) -> None:
    before = await crm.owner.fetch("select id, version from contacts order by id")

    said = await smoke(filled.url)

    assert said.status == 0, said
    assert marks(said) == dict.fromkeys(CHECKS, "✓")
    assert before == await crm.owner.fetch("select id, version from contacts order by id")


async def test_a_tenant_without_data_shows_what_was_left_out_and_passes(server: Server) -> None:
    said = await smoke(server.url, "--tenant", "nobody")

    assert said.status == 0, said
    assert [name for name, mark in marks(said).items() if mark == "–"] == [
        "a write, as a dry run",
        "a stream, to its end",
    ]
    assert "left out: the tenant has no contact" in said.out


@pytest.mark.parametrize("way", ["--token", "--token-file", "TOKEN"])
async def test_a_token_can_be_given(filled: Server, tmp_path: Path, way: str) -> None:
    token = filled.token(TENANT)
    (tmp_path / "token").write_text(f"{token}\n")
    options = {"--token": [way, token], "--token-file": [way, str(tmp_path / "token")], "TOKEN": []}[way]

    said = await smoke(filled.url, *options, JWT_SECRET="", **({"TOKEN": token} if way == "TOKEN" else {}))

    assert said.status == 0, said


async def test_a_token_that_grants_too_little_fails_by_the_tools_it_lacks(filled: Server) -> None:
    said = await smoke(filled.url, "--token", filled.token(TENANT, ["analytics.view"]))

    said.refused("does not do all that it should")
    assert failed(said) == ["a write, as a dry run", "a stream, to its end"]
    assert "the token does not grant find_contacts" in said.out


async def test_a_token_that_is_none_fails_everything_that_needs_one(filled: Server) -> None:
    said = await smoke(filled.url, "--token", "nonsense")

    said.refused()
    assert failed(said) == CHECKS[3:]
    assert "unauthenticated: " in said.out
    assert "nonsense" not in said.out + said.err


async def test_a_server_without_its_database_is_alive_and_not_ready(start_server: StartServer, crm: Crm) -> None:
    nowhere = crm.server_url.replace(
        crm.server_url.rpartition("/")[2].partition("?")[0], "a_database_that_is_not_there"
    )
    broken = await start_server(database_url=nowhere, database_wait_seconds=0.2)

    said = await smoke(broken.url)

    said.refused()
    assert {"ready", "a read"} <= set(failed(said))
    assert marks(said)["health"] == "✓"
    assert "HTTP 503 for /ready: unavailable" in said.out


async def test_where_nothing_listens_only_health_is_tried() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        said = await smoke(f"http://127.0.0.1:{unused.getsockname()[1]}")

    said.refused()
    assert marks(said) == {"health": "✗"}
    assert "no answer: " in said.out


async def test_an_address_that_is_none_is_refused() -> None:
    for url in ("localhost:8081", "ftp://localhost", "http://", "http://localhost/?a=b"):
        (await smoke(url)).refused(f"--url is {url!r}; it must be like http://127.0.0.1:8081.")


async def test_two_tokens_are_refused(tmp_path: Path) -> None:
    said = await smoke("http://localhost", "--token", "a", "--token-file", str(tmp_path / "token"))
    said.refused("Give --token or --token-file, not both.")


Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def answering(handler: Handler) -> AsyncIterator[str]:
    """Run a server that answers everything by *handler*."""
    server = web.Server(handler)
    runner = web.ServerRunner(server)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"<html>a page</html>", "HTTP 200 for /health, which is not JSON"),
        (b"[]", "HTTP 200 for /health, which is not JSON"),
        (b"{}", "an answer of another shape (KeyError: 'status')"),
        (b"x" * 5_000_000, "no answer: "),
    ],
    ids=["html", "list", "empty", "endless"],
)
async def test_another_server_at_the_address_is_told_from_ours(body: bytes, told: str) -> None:
    async def answer(request: web.BaseRequest) -> web.Response:
        return web.Response(body=body)

    async with answering(answer) as url:
        said = await smoke(url)

    said.refused()
    assert told in said.out


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ([], "the stream ended after 0 events, at 0%"),
        ([("starting", 0.0), ("analyzing", 0.5)], "the stream ended after 2 events, at 50%"),
        ([("starting", 0.0), ("analyzing", 0.5), ("analyzing", 0.5)], "the progress went from 0.5 to 0.5"),
        ([("starting", 0.0), ("error", 0.5)], "analyze_agent_messages: internal: It broke."),
    ],
    ids=["nothing", "cut off", "standing still", "an error"],
)
async def test_a_stream_that_does_not_come_to_its_end_fails(events: list[tuple[str, float]], told: str) -> None:
    tools = [{"name": name} for name in ("list_agents", "analyze_agent_messages")]

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/rpc":
            return web.json_response({"result": {"tools": tools}})
        if request.path == "/v1/tools/execute":
            return web.json_response({"result": {"agents": [{"agent_id": "a"}]}})
        if request.path.endswith("/stream"):
            data = {"code": "internal", "message": "It broke."}
            said = [orjson.dumps({"stage": stage, "progress": progress, "data": data}) for stage, progress in events]
            body = b"".join(b"data: %s\r\n\r\n" % event for event in said)
            return web.Response(body=body, content_type="text/event-stream")
        return web.json_response({"status": "ok"})

    async with answering(answer) as url:
        said = await smoke(url)

    said.refused()
    assert told in said.out
