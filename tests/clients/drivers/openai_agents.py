"""OpenAI Agents SDK: its MCP server over Streamable HTTP, called as an agent calls it, without a model."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from agents.mcp import MCPServerStreamableHttp
from script import Job, Shown, play


class Connected:
    """The server, as the script calls it."""

    # It does not tell.
    version = None

    def __init__(self, server: MCPServerStreamableHttp) -> None:
        self._server = server

    async def tools(self) -> list[str]:
        return [tool.name for tool in await self._server.list_tools()]

    async def call(self, name: str, arguments: dict[str, Any], said: list[Any] | None = None) -> Shown:
        answer = await self._server.call_tool(name, arguments)
        return Shown(answer.content[0].text, answer.structured_content, answer.is_error)


@asynccontextmanager
async def connect(job: Job, token: str) -> AsyncIterator[Connected]:
    url = job.url
    headers = {"Authorization": f"Bearer {token}"}
    async with MCPServerStreamableHttp(
        params={"url": url, "headers": headers},
        # Its own default is 5 s, and an analysis may take 45.
        client_session_timeout_seconds=60,
    ) as server:
        yield Connected(server)


# It has no way to ask for progress.
play(connect, follows_progress=False)
