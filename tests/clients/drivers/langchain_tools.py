"""LangChain: the tools of langchain-mcp-adapters, invoked as an agent invokes them; a session for each call."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from langchain_core.messages import ToolCall
from langchain_core.tools import BaseTool
from langchain_mcp_adapters.callbacks import Callbacks
from langchain_mcp_adapters.client import MultiServerMCPClient
from script import Job, Shown, hearing, play


class Connected:
    """The client, as the script calls it."""

    # It does not tell.
    version = None

    def __init__(self, client: MultiServerMCPClient, listed: list[BaseTool], said: list[Any]) -> None:
        self._client = client
        self._listed = {tool.name: tool for tool in listed}
        self._said = said

    async def tools(self) -> list[str]:
        return [tool.name for tool in await self._client.get_tools()]

    async def call(self, name: str, arguments: dict[str, Any], said: list[Any] | None = None) -> Shown | None:
        if name not in self._listed:
            return None
        self._said.clear()
        answer = await self._listed[name].ainvoke(ToolCall(name=name, args=arguments, id="1", type="tool_call"))
        if said is not None:
            said.extend(self._said)
        text = answer.content if isinstance(answer.content, str) else answer.content[0]["text"]
        fields = answer.artifact["structured_content"] if answer.artifact else None
        return Shown(text, fields, answer.status == "error")


@asynccontextmanager
async def connect(job: Job, token: str) -> AsyncIterator[Connected]:
    url, token, later_token = job.url, job.token, token
    said: list[Any] = []
    headers = {"Authorization": f"Bearer {token}"}

    on_progress = hearing(said)
    client = MultiServerMCPClient(
        {"crm": {"transport": "streamable_http", "url": url, "headers": headers}},
        callbacks=Callbacks(on_progress=on_progress),
    )
    listed = await client.get_tools()
    # A tool that is not listed cannot be asked for; what was listed may be refused to a later token.
    headers["Authorization"] = f"Bearer {later_token}"
    yield Connected(client, listed, said)


play(connect)
