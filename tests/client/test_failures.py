"""Servers that are gone, slow, or no servers at all: each failure has its own exception, and none shows the token."""

import asyncio
import gzip
import pickle
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from mcp_client import (
    AnswerTooLarge,
    AsyncMCPClient,
    ConnectionFailed,
    DeadlineExceeded,
    MCPError,
    NotFound,
    ProtocolError,
    RequestRefused,
    ServerError,
    ServiceUnavailable,
    TimedOut,
    Unauthenticated,
)
from tests.client.conftest import TOKEN
from tests.client.impostor import (
    Handler,
    Impostor,
    break_off,
    good,
    hang_up,
    json_answer,
    plain_answer,
    refused,
    stream,
)


async def failure(client: AsyncMCPClient, tool: str = "write", **options: Any) -> MCPError:
    """Return what a call that may not be repeated raises."""
    with pytest.raises(MCPError) as caught:
        await client.call_tool(tool, {}, **options)
    error = caught.value
    seen = error
    while seen is not None:  # a traceback shows what is behind it, too
        assert TOKEN not in f"{seen!r} {seen} {getattr(seen, 'details', '')}"
        seen = seen.__cause__  # type: ignore[assignment]
    return error


@asynccontextmanager
async def raw(answer: bytes) -> AsyncIterator[str]:
    """Serve bytes, whatever is asked."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_nobody_there(unused_tcp_port: int) -> None:
    async with AsyncMCPClient(f"http://127.0.0.1:{unused_tcp_port}", TOKEN, retries=0) as client:
        error = await failure(client)

    assert (type(error), error.code, error.status) == (ConnectionFailed, "connection_failed", None)
    assert str(unused_tcp_port) in error.message
    assert error.request_id


async def test_a_host_without_an_address() -> None:
    async with AsyncMCPClient("http://nowhere.invalid", TOKEN, retries=0) as client:
        assert type(await failure(client)) is ConnectionFailed


async def test_no_encryption_where_it_is_expected(impostor: Impostor) -> None:
    async with AsyncMCPClient(impostor.url.replace("http:", "https:"), TOKEN, retries=0) as client:
        assert type(await failure(client)) is ConnectionFailed


@pytest.mark.parametrize("answer", [hang_up, break_off])
async def test_a_connection_that_breaks(impostor: Impostor, caller: AsyncMCPClient, answer: Handler) -> None:
    impostor.answers = [answer]

    error = await failure(caller, request_id="mine")

    assert (type(error), error.request_id) == (ConnectionFailed, "mine")


@pytest.mark.parametrize(
    "answer", [b"SSH-2.0-OpenSSH_9.2\r\n", b"\x00\xff" * 500, b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"]
)
async def test_what_does_not_speak_http(answer: bytes) -> None:
    async with raw(answer) as url, AsyncMCPClient(url, TOKEN, retries=0) as client:
        assert type(await failure(client)) is ConnectionFailed


async def test_an_answer_that_cannot_be_unpacked() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\n"
    async with raw(head + b"no gzip, ") as url, AsyncMCPClient(url, TOKEN) as client:
        assert type(await failure(client)) is ProtocolError


@pytest.mark.parametrize(
    "answer",
    [
        plain_answer(b"<html>Welcome</html>"),
        plain_answer(b""),
        plain_answer(b"\xff\xfe\xfd"),
        plain_answer(b"[" * 100_000),
        json_answer(None),
        json_answer([]),
        json_answer({"result": None}),
        json_answer({"result": [1]}),
        stream(b": hello\r\n\r\n"),
        plain_answer(b"", 302, Location="http://127.0.0.1:1/"),
        plain_answer(b"", 204),
    ],
)
async def test_what_is_not_an_answer_of_this_server(
    impostor: Impostor, caller: AsyncMCPClient, answer: Handler
) -> None:
    impostor.answers = [answer]

    assert type(await failure(caller)) is ProtocolError
    assert len(impostor.calls) == 1


async def test_a_list_of_another_shape(impostor: Impostor, caller: AsyncMCPClient) -> None:
    contents: list[Any] = [
        {},
        {"tools": {}},
        {"tools": [1]},
        {"tools": [{"title": "nameless"}]},
        {"tools": [{"name": "a", "annotations": None}]},
    ]
    for content in contents:
        impostor.lists = [json_answer(content)]
        with pytest.raises(ProtocolError):
            await caller.list_tools()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RequestRefused),
        (401, Unauthenticated),
        (404, NotFound),
        (418, RequestRefused),
        (500, ServerError),
        (502, ServerError),
        (503, ServiceUnavailable),
        (504, DeadlineExceeded),
    ],
)
async def test_a_status_without_an_explanation(
    impostor: Impostor, caller: AsyncMCPClient, status: int, kind: type[MCPError]
) -> None:
    impostor.answers = [plain_answer(f"<html>your token was {TOKEN}</html>".encode(), status)]

    error = await failure(caller)

    assert (type(error), error.status) == (kind, status)
    assert f"HTTP {status}" in error.message


async def test_an_incident_is_told(impostor: Impostor, caller: AsyncMCPClient) -> None:
    impostor.answers = [refused(500, "internal", incident="abc", request_id="theirs")]

    error = await failure(caller)

    assert (type(error), error.code, error.details, error.request_id) == (
        ServerError,
        "internal",
        {"incident": "abc"},
        "theirs",
    )


async def test_a_code_that_this_version_does_not_know(impostor: Impostor, caller: AsyncMCPClient) -> None:
    impostor.answers = [refused(422, "too_modern")]
    error = await failure(caller)
    assert (type(error), error.code) == (RequestRefused, "too_modern")


async def test_an_error_of_a_strange_shape_is_still_an_error(impostor: Impostor, caller: AsyncMCPClient) -> None:
    for said in ({}, {"message": 1, "code": ["x"]}, {"message": "x" * 10**6}, {"fields": "none", "missing": 3}):
        impostor.answers = [json_answer({"error": said}, 400)]
        error = await failure(caller)
        assert type(error) is RequestRefused
        assert 0 < len(error.message) <= 4000


@pytest.mark.parametrize("packed", [lambda body: (body, {}), lambda body: (gzip.compress(body), {"Encoding": "gzip"})])
async def test_an_answer_beyond_the_bound(impostor: Impostor, packed: Callable[[bytes], tuple[bytes, Any]]) -> None:
    body, how = packed(b'{"result": {"text": "%s"}}' % (b"x" * 200_000))
    headers = {"Content_Encoding": how["Encoding"]} if how else {}
    impostor.answers = [plain_answer(body, **headers)]
    async with AsyncMCPClient(impostor.url, TOKEN, max_answer_bytes=100_000) as client:
        error = await failure(client)
    assert (type(error), error.code) == (AnswerTooLarge, "answer_too_large")
    assert "100000" in error.message

    async with AsyncMCPClient(impostor.url, TOKEN, max_answer_bytes=300_000) as client:
        assert len((await client.call_tool("write"))["result"]["text"]) == 200_000


async def test_an_answer_that_does_not_come_in_time(impostor: Impostor, caller: AsyncMCPClient) -> None:
    impostor.answers = [impostor.hang]

    error = await failure(caller, timeout=0.1, request_id="mine", idempotency_key="k")

    assert (type(error), error.code, error.request_id, error.idempotency_key) == (TimedOut, "timed_out", "mine", "k")
    assert len(impostor.calls) == 1


async def test_the_time_is_that_of_the_whole_call_however_often_a_byte_comes(
    impostor: Impostor, caller: AsyncMCPClient
) -> None:
    """Each wait for a byte is a tenth of the time that the call has."""

    async def drip(request: Any) -> Any:
        response = stream()  # an answer whose head is there
        prepared = await response(request)
        while not impostor.over.is_set():
            await asyncio.sleep(0.02)
            try:
                await prepared.write(b" ")
            except ConnectionError:
                break
        return prepared

    impostor.answers = [drip]

    assert type(await failure(caller, timeout=0.2)) is TimedOut


async def test_the_client_goes_on_after_a_failure(impostor: Impostor, caller: AsyncMCPClient) -> None:
    impostor.answers = [impostor.hang, break_off, plain_answer(b"?"), good({"n": 1})]
    for _ in range(3):
        await failure(caller, timeout=0.2)

    assert (await caller.call_tool("write"))["result"] == {"n": 1}


async def test_cancelling_a_call_is_no_failure_of_it(impostor: Impostor, caller: AsyncMCPClient) -> None:
    impostor.answers = [impostor.hang, good({"n": 1})]
    call = asyncio.create_task(caller.call_tool("read"))
    async with asyncio.timeout(5):
        while not impostor.calls:  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0.005)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call

    assert (await caller.call_tool("read"))["result"] == {"n": 1}


async def test_an_error_survives_being_handed_to_another_process(impostor: Impostor, caller: AsyncMCPClient) -> None:
    impostor.answers = [refused(429, "rate_limited", retry_after="7")]
    error = await failure(caller)

    copy = pickle.loads(pickle.dumps(error))

    assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))
