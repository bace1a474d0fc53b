"""Google ADK: the tools of an McpToolset, run as an agent runs them, without a model."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from google.adk.agents import BaseAgent
from google.adk.agents.invocation_context import InvocationContext
from google.adk.sessions import InMemorySessionService
from google.adk.tools.base_tool import BaseTool
from google.adk.tools.mcp_tool import McpToolset, StreamableHTTPConnectionParams
from google.adk.tools.tool_context import ToolContext
from script import Job, Shown, hearing, play


class Connected:
    """The toolset, as the script calls it."""

    # It does not tell.
    version = None

    def __init__(self, toolset: McpToolset, listed: list[BaseTool], context: ToolContext, said: list[Any]) -> None:
        self._toolset = toolset
        self._listed = {tool.name: tool for tool in listed}
        self._context = context
        self._said = said

    async def tools(self) -> list[str]:
        return [tool.name for tool in await self._toolset.get_tools()]

    async def call(self, name: str, arguments: dict[str, Any], said: list[Any] | None = None) -> Shown | None:
        if name not in self._listed:
            return None
        self._said.clear()
        answer = await self._listed[name].run_async(args=arguments, tool_context=self._context)
        if said is not None:
            said.extend(self._said)
        if "content" not in answer:
            return Shown(json.dumps(answer), is_error=True)
        return Shown(answer["content"][0]["text"], answer.get("structuredContent"), answer.get("isError", False))


@asynccontextmanager
async def connect(job: Job, token: str) -> AsyncIterator[Connected]:
    url, token, later_token = job.url, job.token, token
    said: list[Any] = []
    later: dict[str, str] = {}
    headers = {"Authorization": f"Bearer {token}"}

    on_progress = hearing(said)
    toolset = McpToolset(
        connection_params=StreamableHTTPConnectionParams(url=url, headers=headers),
        header_provider=lambda context: later,
        progress_callback=on_progress,
    )
    sessions = InMemorySessionService()
    session = await sessions.create_session(app_name="clients", user_id="tester")
    agent = BaseAgent(name="tester")
    run = InvocationContext(session_service=sessions, invocation_id="1", agent=agent, session=session)
    try:
        listed = await toolset.get_tools()
        # A tool that is not listed cannot be asked for; what was listed may be refused to a later token.
        later["Authorization"] = f"Bearer {later_token}"
        yield Connected(toolset, listed, ToolContext(run), said)
    finally:
        await toolset.close()


play(connect)
