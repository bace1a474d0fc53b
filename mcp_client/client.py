"""The asynchronous client."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from types import TracebackType
from typing import Any, Self

import httpx2

from mcp_client.answers import tool_answer, tool_list
from mcp_client.connection import Connection
from mcp_client.deadline import positive, within
from mcp_client.errors import MCPError
from mcp_client.ids import RequestIds, request_segment, tool_segment, with_key
from mcp_client.retries import repeated
from mcp_client.shapes import ToolAnswer, ToolList
from mcp_client.stream import AsyncToolStream, Open, Source

CALL_SECONDS = 60.0
STREAM_SECONDS = 120.0
STALL_SECONDS = 45.0
RETRIES = 2
MAX_ANSWER_BYTES = 16 * 2**20


class AsyncMCPClient:
    """A caller of the CRM's tools, on asyncio; `MCPClient` is the same for code that blocks.

    It keeps connections open between calls, so make one for each event loop and close it at the end:
    `async with AsyncMCPClient("http://localhost:8081", token) as client: …`. `url` is another word for `base_url`.

    Every *timeout* is the whole time that a call may take, retries included, in seconds. A call is asked again, at most
    *retries* times, where nothing answered, the connection broke off, or the answer was 429 or 503, and only if doing
    it twice does no harm: the tool only reads, or the arguments bear an `idempotency_key`.
    """

    def __init__(
        self,
        base_url: str | None = None,
        auth_token: str = "",
        *,
        url: str | None = None,
        retries: int = RETRIES,
        stall_timeout: float = STALL_SECONDS,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
    ) -> None:
        """Take the server's address and a token; raises ValueError where one cannot be such a thing.

        *stall_timeout* is how long a stream may be silent, without even a sign of life, before it counts as broken.
        *max_answer_bytes* bounds an answer and each event of a stream.
        """
        self._connection = Connection(_one(base_url, url), auth_token, max_answer_bytes)
        self._retries = retries
        self._stall_seconds = positive(stall_timeout)
        self._readers: frozenset[str] | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._connection.base_url!r})"

    async def list_tools(self, timeout: float = CALL_SECONDS) -> ToolList:  # noqa: ASYNC109 - retries are in it
        """Return the tools that the caller may call: `{"tools": [{"name", "parameters", …}], "count"}`."""
        ids = RequestIds()
        async with within(timeout, ids.first) as deadline:
            return await self._listed(deadline, ids)

    async def call_tool(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        timeout: float = CALL_SECONDS,  # noqa: ASYNC109 - retries are in it
        *,
        idempotency_key: str | None = None,
        request_id: str | None = None,
    ) -> ToolAnswer:
        """Call a tool and return `{"tool_name", "result", "timestamp"}`; raises MCPError.

        A tool that writes takes an *idempotency_key*: with the same one the change is made once, however often it is
        asked for. "auto" lets the client make it; `error.idempotency_key` tells it after a failure. *request_id* lets
        `watch_progress` follow the call from elsewhere; without it, the client makes one.
        """
        given = with_key(arguments, idempotency_key)
        ids = RequestIds(request_id)

        async def send() -> ToolAnswer:
            used = next(ids)
            body = {"tool_name": name, "arguments": given}
            return tool_answer(await self._connection.ask("POST", "/v1/tools/execute", used, body), used)

        try:
            async with within(timeout, ids.first) as deadline:
                return await repeated(send, partial(self._harmless, name, given, deadline), self._retries, deadline)
        except MCPError as error:
            error.idempotency_key = given.get("idempotency_key")
            raise

    def call_tool_streaming(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        timeout: float = STREAM_SECONDS,
        *,
        request_id: str | None = None,
    ) -> AsyncToolStream:
        """Call a tool and follow it: an iterator over its steps, of which the last bears the result.

        Each step is `{"stage", "progress", "message", "data", "timestamp"}`. `.result()` gives the result alone.
        A stream that has begun is never asked for again.
        """
        given = with_key(arguments, None)
        path = f"/v1/tools/{tool_segment(name)}/stream"

        async def harmless(deadline: float) -> bool:
            return await self._harmless(name, given, deadline)

        ids = RequestIds(request_id)
        open_ = self._opener("POST", path, ids, harmless, given)
        return AsyncToolStream(Source(self._connection, open_, ids.first, reconnects=None), positive(timeout))

    def watch_progress(self, request_id: str, timeout: float = STREAM_SECONDS) -> AsyncToolStream:
        """Follow a call of the same caller that runs or has just ended, by its request id; calls nothing by itself.

        A connection that breaks off is made again, and goes on where it broke off.
        """
        path = f"/progress/{request_segment(request_id)}"
        # Watching needs an id of its own: that of the call is in use.
        open_ = self._opener("GET", path, RequestIds(), _always)
        return AsyncToolStream(Source(self._connection, open_, request_id, self._retries), positive(timeout))

    async def close(self) -> None:
        """Close all connections."""
        await self._connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def _listed(self, deadline: float, ids: RequestIds) -> ToolList:
        async def send() -> ToolList:
            used = next(ids)
            return tool_list(await self._connection.ask("GET", "/v1/tools/list", used), used)

        listed = await repeated(send, partial(_always, deadline), self._retries, deadline)
        self._readers = frozenset(
            tool["name"] for tool in listed["tools"] if tool.get("annotations", {}).get("readOnlyHint") is True
        )
        return listed

    async def _harmless(self, name: str, arguments: Mapping[str, Any], deadline: float) -> bool:
        """Return whether the call may be made twice; what the list of tools does not say is a write."""
        if arguments.get("idempotency_key"):
            return True
        if self._readers is None:
            try:
                await self._listed(deadline, RequestIds())
            except MCPError:
                return False
        return name in (self._readers or ())

    def _opener(
        self,
        method: str,
        path: str,
        ids: RequestIds,
        harmless: Callable[[float], Awaitable[bool]],
        body: Mapping[str, Any] | None = None,
    ) -> Open:
        async def opened(resumed: Mapping[bytes, bytes], deadline: float) -> httpx2.Response:
            headers = {b"Accept": b"text/event-stream", **resumed}

            async def send() -> httpx2.Response:
                stall = self._stall_seconds
                return await self._connection.open(method, path, next(ids), body, stall=stall, headers=headers)

            return await repeated(send, partial(harmless, deadline), self._retries, deadline)

        return opened


async def _always(deadline: float) -> bool:
    return True


def _one(base_url: str | None, url: str | None) -> str:
    if (base_url is None) == (url is None):
        raise TypeError("Give the server's address once, as base_url or as url.")
    return base_url or url or ""
