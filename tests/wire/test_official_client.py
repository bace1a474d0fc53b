"""The official Python client, in each of its modes, on two replicas that take turns."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from mcp import MCPError
from mcp.client.client import Client as OfficialClient
from mcp.client.streamable_http import streamable_http_client

from handlers import CATALOG
from tests.round_robin import taking_turns
from tests.wire.conftest import Serving

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize(
    ("mode", "version"), [("auto", "2026-07-28"), ("legacy", "2025-11-25"), ("2026-07-28", "2026-07-28")]
)
async def test_it_connects_lists_calls_and_shows_what_went_wrong(serving: Serving, mode: str, version: str) -> None:
    async with serving() as one, serving() as other, taking_turns([one.server.url, other.server.url]) as proxy:
        bearer = one.server.bearer("demo")
        refused = one.server.bearer("demo", ("pipelines.view",))
        async with httpx2.AsyncClient(headers=bearer) as http, _connected(f"{proxy.url}/mcp", http, mode) as client:
            assert client.protocol_version == version
            tools = (await client.list_tools()).tools
            assert [tool.name for tool in tools] == list(CATALOG)

            answer = await client.call_tool("get_leads_count", {"period": "all"})
            assert answer.structured_content is not None
            assert answer.structured_content["total_leads"] == 60

            wrong = await client.call_tool("get_leads_count", {"period": "fortnight"})
            assert wrong.is_error
            assert "fortnight" in wrong.content[0].text  # type: ignore[union-attr]

            with pytest.raises(MCPError, match="no tool called"):
                await client.call_tool("get_everything", {})

            http.headers.update(refused)
            with pytest.raises(MCPError, match="does not grant"):
                await client.call_tool("list_agents", {})


@asynccontextmanager
async def _connected(url: str, http: httpx2.AsyncClient, mode: str) -> AsyncIterator[OfficialClient]:
    async with OfficialClient(streamable_http_client(url, http_client=http), mode=mode) as client:
        yield client
