"""The blocking client: the asynchronous one, run in a thread of its own."""

import weakref
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self, TypedDict, Unpack

from mcp_client.client import CALL_SECONDS, STREAM_SECONDS, AsyncMCPClient
from mcp_client.loop_thread import LoopThread
from mcp_client.shapes import ProgressEvent, ToolAnswer, ToolList
from mcp_client.stream import AsyncToolStream


class Options(TypedDict, total=False):
    """What both clients take beside address and token; `AsyncMCPClient` says what they mean."""

    url: str | None
    retries: int
    stall_timeout: float
    max_answer_bytes: int


class MCPClient:
    """A caller of the CRM's tools, for code that blocks; `MCPClient("http://localhost:8081", token)`.

    Any number of threads may share one. It works where an event loop runs too, a notebook for one, but the loop stands
    still meanwhile: asynchronous code takes `AsyncMCPClient`, which also says what the options mean. Close it at the
    end or use it in a `with`; one that is dropped closes itself.
    """

    def __init__(self, base_url: str | None = None, auth_token: str = "", **options: Unpack[Options]) -> None:
        """Take the server's address and a token; raises ValueError where one cannot be such a thing."""
        self._client = AsyncMCPClient(base_url, auth_token, **options)
        self.loop_thread = LoopThread(self._client.close)
        self._drop = weakref.finalize(self, self.loop_thread.stop)

    def __repr__(self) -> str:
        return repr(self._client).removeprefix("Async")

    def list_tools(self, timeout: float = CALL_SECONDS) -> ToolList:
        """Return the tools that the caller may call: `{"tools": [{"name", "parameters", …}], "count"}`."""
        return self.loop_thread.run(self._client.list_tools(timeout))

    def call_tool(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        timeout: float = CALL_SECONDS,
        *,
        idempotency_key: str | None = None,
        request_id: str | None = None,
    ) -> ToolAnswer:
        """Call a tool and return `{"tool_name", "result", "timestamp"}`; see `AsyncMCPClient.call_tool`."""
        return self.loop_thread.run(
            self._client.call_tool(name, arguments, timeout, idempotency_key=idempotency_key, request_id=request_id)
        )

    def call_tool_streaming(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        timeout: float = STREAM_SECONDS,
        *,
        request_id: str | None = None,
    ) -> "ToolStream":
        """Call a tool and follow it: an iterator over its steps; see `AsyncMCPClient.call_tool_streaming`."""
        stream = self._client.call_tool_streaming(name, arguments, timeout, request_id=request_id)
        return ToolStream(self, stream)

    def watch_progress(self, request_id: str, timeout: float = STREAM_SECONDS) -> "ToolStream":
        """Follow a call of the same caller by its request id; see `AsyncMCPClient.watch_progress`."""
        return ToolStream(self, self._client.watch_progress(request_id, timeout))

    def close(self) -> None:
        """Close all connections and end the thread; whoever still waits gets a RuntimeError."""
        self._drop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class ToolStream:
    """An iterator over the steps of a call: `AsyncToolStream` for code that blocks."""

    def __init__(self, client: MCPClient, stream: AsyncToolStream) -> None:
        self._stream = stream
        self._client = client  # as long as somebody reads, it must not be dropped
        self._loop = client.loop_thread

    @property
    def request_id(self) -> str:
        """The id under which the server knows the call, for its log and for `watch_progress`."""
        return self._stream.request_id

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> ProgressEvent:
        try:
            return self._loop.run(self._stream.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None

    def result(self) -> dict[str, Any]:
        """Read to the end and return the result alone; raises MCPError where the call failed."""
        return self._loop.run(self._stream.result())

    def close(self) -> None:
        """Leave the stream; the server may then end the call."""
        self._loop.run(self._stream.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
