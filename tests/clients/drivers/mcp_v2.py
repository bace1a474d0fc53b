"""The official Python client, second generation (PyPI: mcp >= 2), in each of its modes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from script import Job, Shown, hearing, play


class Connected:
    """The client, as the script calls it."""

    def __init__(self, client: Client) -> None:
        self.version = client.protocol_version
        self._client = client

    async def tools(self) -> list[str]:
        return [tool.name for tool in (await self._client.list_tools()).tools]

    async def call(self, name: str, arguments: dict[str, Any], said: list[Any] | None = None) -> Shown:
        on_progress = hearing(said)
        answer = await self._client.call_tool(name, arguments, progress_callback=on_progress)
        return Shown(answer.content[0].text, answer.structured_content, answer.is_error)


@asynccontextmanager
async def connect(job: Job, token: str) -> AsyncIterator[Connected]:
    url, mode = job.url, job.mode
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        yield Connected(client)


play(connect)
