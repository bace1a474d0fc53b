"""The progress of a call, step by step, and its result."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from types import TracebackType
from typing import Any, Self

import httpx2

from mcp_client.answers import error_of_event, progress_event, result_of
from mcp_client.connection import Connection, answered_id
from mcp_client.errors import ConnectionFailed, MCPError, ProtocolError, StreamBroken, TimedOut
from mcp_client.retries import pause
from mcp_client.shapes import ProgressEvent

Open = Callable[[Mapping[bytes, bytes], float], Awaitable[httpx2.Response]]
"""Opens the stream: headers beside the usual ones, and the time (of the loop) by which it must be open."""


class Source:
    """Where a stream's steps come from; knows how far it has read.

    It is apart from `AsyncToolStream` so that a stream that is dropped is freed, and closed, at once: the generator
    below must not hold what holds the generator.
    """

    def __init__(self, connection: Connection, open_: Open, request_id: str, reconnects: int | None) -> None:
        """Take how to open it; *reconnects* is None for the stream of a call of its own, which is begun once."""
        self.request_id = request_id
        self.deadline = 0.0
        self._connection = connection
        self._open = open_
        self._reconnects = reconnects
        self._failures = 0
        self._last_event_id = ""

    async def events(self) -> AsyncGenerator[ProgressEvent, None]:
        """Give each step, the last one too; raises MCPError after a step `error` and where the stream breaks off."""
        while True:
            try:
                async with aclosing(await self._opened()) as response, aclosing(self._read(response)) as steps:
                    async for step in steps:
                        yield step
                        if step["stage"] == "error":
                            raise error_of_event(step, self.request_id)
                        if step["stage"] == "done":
                            return
                broken = self._broken("ended")
            except _BrokeOff as error:
                broken = self._broken("broke off")
                broken.__cause__ = error.__cause__
            self._failures += 1
            if self._failures > (self._reconnects or 0):
                raise broken
            await asyncio.sleep(pause(self._failures, broken))

    async def _opened(self) -> httpx2.Response:
        resumed = {b"Last-Event-ID": self._last_event_id.encode()} if self._last_event_id else {}
        response = await self._open(resumed, self.deadline)
        if self._reconnects is None:
            self.request_id = answered_id(response, self.request_id)
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind != "text/event-stream":
            await response.aclose()
            raise ProtocolError("The answer is no stream of events.", request_id=self.request_id)
        return response

    async def _read(self, response: httpx2.Response) -> AsyncGenerator[ProgressEvent, None]:
        try:
            with self._connection.failures(self.request_id):
                async for sent in httpx2.EventSource(response, self._connection.max_answer_bytes):
                    self._last_event_id = sent.id
                    if sent.data:
                        self._failures = 0
                        yield progress_event(sent.data, self.request_id)
        except ConnectionFailed as error:
            raise _BrokeOff from error

    def _broken(self, how: str) -> StreamBroken:
        return StreamBroken(
            f"The stream {how} before the call did. "
            f"watch_progress({self.request_id!r}) shows what became of it, as long as the server knows.",
            request_id=self.request_id,
        )


class _BrokeOff(Exception):
    """A stream that had begun broke off; apart from the failure to begin one."""


class AsyncToolStream:
    """An iterator over the steps of a call; the call begins with the first step that is asked for.

    Each step is given, the last one too: `done`, whose `data` bears the result, or `error`, after which the iteration
    raises what the server said. Leaving early closes the stream, which tells the server that nobody waits.
    """

    def __init__(self, source: Source, timeout: float) -> None:
        self._source = source
        self._events = source.events()
        self._timeout = timeout
        self._begun = False
        self._last: ProgressEvent | None = None
        self._failure: MCPError | None = None

    @property
    def request_id(self) -> str:
        """The id under which the server knows the call, for its log and for `watch_progress`."""
        return self._source.request_id

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ProgressEvent:
        if self._failure is not None:
            raise self._failure
        if not self._begun:
            self._begun = True
            self._source.deadline = asyncio.get_running_loop().time() + self._timeout
        try:
            async with asyncio.timeout_at(self._source.deadline):
                self._last = step = await anext(self._events)
        except TimeoutError:
            message = f"The call did not end within {self._timeout:g} s."
            self._failure = TimedOut(message, request_id=self.request_id)
            raise self._failure from None
        except MCPError as error:
            self._failure = error
            raise
        return step

    async def result(self) -> dict[str, Any]:
        """Read to the end and return the result alone; raises MCPError where the call failed."""
        async for _ in self:
            pass
        if self._last is None or self._last["stage"] != "done":
            raise RuntimeError("The stream was closed before its end, so it has no result.")
        return result_of(self._last, self.request_id)

    async def close(self) -> None:
        """Leave the stream; the server may then end the call."""
        await self._events.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()
