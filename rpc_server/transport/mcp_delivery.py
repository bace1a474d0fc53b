"""From a request's log to an HTTP response: JSON where the answer comes first, else a stream."""

import asyncio
from contextlib import suppress

from aiohttp import hdrs, web
from aiohttp_sse import sse_response

from rpc_server.backends.session_memory import Log
from rpc_server.transport.answers import add_headers
from rpc_server.transport.mcp_answer import Answer, Answering, Asked, cancelled
from rpc_server.transport.mcp_work import stopped
from rpc_server.transport.middleware import REQUEST_ID
from rpc_server.transport.whole import SERVER_NAME, WholeResponse

# So long an answer may be silent before it becomes a stream, which proxies keep open for its comments.
_SILENT_SECONDS = 15.0
_PING_SECONDS = 15.0
# A client that takes nothing for so long is dropped.
_SEND_SECONDS = 20.0
# How soon a client should come back for a stream that broke off.
_RETRY_MILLISECONDS = 1000


async def delivered(request: web.Request, asked: Asked, answering: Answering) -> web.StreamResponse:
    """Have a request answered in this very task, and send what comes of it: JSON where the answer comes first.

    What is said before it makes a stream of it, and so do 15 s of silence; only then there is a second task, which
    sends. A client that takes nothing of its stream has its request called off.
    """
    task = asyncio.current_task()
    assert task is not None
    sending: asyncio.Task[web.StreamResponse] | None = None

    def send() -> None:
        nonlocal sending
        if sending is None:
            sending = asyncio.create_task(stream(request, asked.log), name=f"stream {asked.request_id}")
            sending.add_done_callback(lambda _: asked.log.ended or task.cancel())

    asked.log.when_begun = send
    silence = asyncio.get_running_loop().call_later(_SILENT_SECONDS, send)
    try:
        answer = await answering(asked)
    except asyncio.CancelledError:
        if sending is not None and sending.done() and not task.uncancel():
            return sending.result()
        if task.cancelling():  # by its client, who is gone, or by the end of the server
            asked.log.break_off()
            await stopped(*([sending] if sending else []))
            raise
        answer = cancelled(asked)
    finally:
        silence.cancel()
        asked.log.when_begun = None  # or they would hold each other until the garbage is collected
    if sending is None:
        return json_answer(answer)
    asked.log.end(answer.body)
    return await sending


async def is_silent(log: Log) -> bool:
    """Wait until there is something to send; tell whether it is the answer alone, which needs no stream.

    What says nothing for 15 s becomes a stream before its answer is known.
    """
    await asyncio.sleep(0)  # what waits for nothing, such as an answer from memory, is there by then
    try:
        if not log.has_begun:
            async with asyncio.timeout(_SILENT_SECONDS):
                await log.begun()
    except TimeoutError:
        return False
    return log.ended is not None and len(log.messages) == 1


def json_answer(answer: Answer) -> WholeResponse:
    """Return an answer as JSON, with the status and the headers of its kind."""
    response = WholeResponse(answer.body, answer.limit, status=answer.status)
    if answer.denied is not None:
        add_headers(response, answer.denied)
    return response


async def stream(
    request: web.Request, log: Log, *, name: str | None = None, after: int | None = None, primes: bool = False
) -> web.StreamResponse:
    """Send the messages of a log as they come; with *after*, go on behind that number where a stream broke off.

    Under *name* the stream can be found again, so its events have ids. It returns when all is sent or
    when the client is gone or let go, whichever is first.
    """
    headers = {"X-Request-Id": request[REQUEST_ID], hdrs.SERVER: SERVER_NAME}
    async with sse_response(
        request, headers=headers, allow_all_methods=True, ping_interval=_PING_SECONDS, send_timeout=_SEND_SECONDS
    ) as response:
        with suppress(ConnectionError, TimeoutError):
            if primes:
                await response.send("", id=f"{name}-0", retry=_RETRY_MILLISECONDS)
            async for number, message in log.read(after or 0, is_releasable=after is None):
                id = None if name is None else f"{name}-{number}"
                await response.send(message.decode(), id=id, event="message")
    return response


def event_of(last_event_id: str) -> tuple[str, int] | None:
    """Return the stream and the number that an event's id names; None where it is none of ours."""
    name, _, number = last_event_id.partition("-")
    is_number = number.isascii() and number.isdecimal() and len(number) <= 9
    return (name, int(number)) if is_number else None
