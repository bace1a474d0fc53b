"""Whole programs that use the client: as short as its users write them, and ended as they are."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from tests.client.conftest import TOKEN
from tests.client.impostor import Impostor, good
from tests.client.toys import serving_toys

SHORT = """
import os
from mcp_client import MCPClient

client = MCPClient(base_url=os.environ["URL"], auth_token=os.environ["TOKEN"])
tools = client.list_tools()
print(f"Available tools: {len(tools['tools'])}")

result = client.call_tool("get_leads_count", {"period": "today"})
print(f"Leads today: {result['result']['total_leads']}")

for progress in client.call_tool_streaming("compare_agents", {"agent_ids": ["agent-1", "agent-2"]}):
    print(f"[{progress['progress']*100:.0f}%] {progress['message']}")
    if progress['stage'] == 'done':
        print(f"Winner: {progress['data']['winner']}")
"""

INTERRUPTED = """
import os
from mcp_client import MCPClient

client = MCPClient(url=os.environ["URL"], auth_token=os.environ["TOKEN"])
try:
    client.call_tool("read")
except KeyboardInterrupt:
    print("interrupted", flush=True)
input()
print(client.list_tools()["count"])
"""

FORKED = """
import os
from mcp_client import MCPClient

unused, used = (MCPClient(os.environ["URL"], os.environ["TOKEN"]) for _ in range(2))
used.list_tools()
child = os.fork()
if child == 0:
    print(unused.list_tools()["count"], flush=True)
    try:
        used.list_tools()
    except RuntimeError as error:
        print(error, flush=True)
    raise SystemExit
print("child:", os.waitpid(child, 0)[1], "parent:", used.list_tools()["count"])
"""


@asynccontextmanager
async def program(text: str, url: str, token: str, *options: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a program."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *options,
        "-c",
        text,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "URL": url, "TOKEN": token},
    )
    try:
        async with asyncio.timeout(60):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def output(process: asyncio.subprocess.Process, typed: bytes = b"") -> list[str]:
    """Return what it printed, having seen that it ended well and had nothing to complain of."""
    printed, complaints = await process.communicate(typed)
    assert (process.returncode, complaints.decode()) == (0, "")
    return printed.decode().splitlines()


async def test_a_short_program_that_closes_nothing(empty_url: str) -> None:
    async with serving_toys(empty_url) as server, program(SHORT, server.url, server.token(), "-W", "always") as process:
        assert await output(process) == [
            "Available tools: 4",
            "Leads today: 0",
            "[0%] compare_agents has started.",
            "[0%] Agent agent-1.",
            "[50%] Agent agent-2.",
            "[100%] compare_agents is done.",
            "Winner: agent-1",
        ]


async def test_ctrl_c_ends_the_call_and_not_the_client(impostor: Impostor) -> None:
    asked, gone = asyncio.Event(), asyncio.Event()

    async def wait_for_the_caller(request: web.Request) -> web.StreamResponse:
        asked.set()
        while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        gone.set()
        return await good({})(request)

    impostor.answers = [wait_for_the_caller]
    async with program(INTERRUPTED, impostor.url, TOKEN) as process:
        await asked.wait()
        process.send_signal(signal.SIGINT)
        await gone.wait()
        assert await output(process, b"\n") == ["interrupted", "3"]


async def test_after_a_fork_only_a_client_that_was_not_used_before_works(impostor: Impostor) -> None:
    # From 3.12 on, Python warns of any fork beside a thread.
    async with program(FORKED, impostor.url, TOKEN, "-W", "ignore::DeprecationWarning") as process:
        printed: list[Any] = await output(process)

    assert printed == [
        "3",
        "This client was used before the process forked: make one in each process.",
        "child: 0 parent: 3",
    ]
