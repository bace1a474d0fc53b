"""The official Python client, first generation (PyPI: mcp < 2)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client
from script import Job, Shown, hearing, play


class Connected:
    """The client, as the script calls it."""

    def __init__(self, session: ClientSession, version: str) -> None:
        self.version = version
        self._session = session

    async def tools(self) -> list[str]:
        return [tool.name for tool in (await self._session.list_tools()).tools]

    async def call(self, name: str, arguments: dict[str, Any], said: list[Any] | None = None) -> Shown:
        on_progress = hearing(said)
        answer = await self._session.call_tool(name, arguments, progress_callback=on_progress)
        # 2025-03-26 knows no structured content.
        return Shown(answer.content[0].text, getattr(answer, "structuredContent", None), answer.isError)


@asynccontextmanager
async def connect(job: Job, token: str) -> AsyncIterator[Connected]:
    url = job.url
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        streamablehttp_client(url, headers=headers) as (read, write, _),
        ClientSession(read, write) as session,
    ):
        agreed = await session.initialize()
        yield Connected(session, str(agreed.protocolVersion))


play(connect)
