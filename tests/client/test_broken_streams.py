"""Streams that stall, break off, or never were any."""

import asyncio
import gc
import weakref

import pytest
from aiohttp import web

from mcp_client import (
    AnswerTooLarge,
    AsyncMCPClient,
    ConnectionFailed,
    MCPError,
    NotFound,
    ProtocolError,
    ServiceUnavailable,
    StreamBroken,
    TimedOut,
)
from tests.client.conftest import TOKEN
from tests.client.impostor import Handler, Impostor, good, hang_up, plain_answer, refused, step, stream
from tests.client.reading import until_it_fails

STARTING = step("starting", 0, 1)
DONE = step("done", 1, 9, result={"n": 1}, winner=None)


async def abort(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def stages(client: AsyncMCPClient, tool: str = "read") -> list[str]:
    return [event["stage"] async for event in client.call_tool_streaming(tool)]


async def failure(client: AsyncMCPClient, tool: str = "read", timeout: float = 60) -> tuple[list[str], MCPError]:  # noqa: ASYNC109
    """Return the stages that came, and what was raised after them."""
    steps, error = await until_it_fails(client.call_tool_streaming(tool, timeout=timeout, request_id="mine"))
    return [step["stage"] for step in steps], error


async def test_what_is_asked_for_a_stream(impostor: Impostor, caller: AsyncMCPClient) -> None:
    impostor.answers = [stream(STARTING, DONE)]

    result = await caller.call_tool_streaming("read", {"agent_ids": ["a"]}, request_id="mine").result()

    assert result == {"n": 1}
    (asked,) = impostor.asked
    assert (asked.method, asked.path, asked.body) == ("POST", "/v1/tools/read/stream", {"agent_ids": ["a"]})
    assert asked.headers["Accept"] == "text/event-stream"
    assert asked.headers["Authorization"] == f"Bearer {TOKEN}"
    assert asked.headers["X-Request-Id"] == "mine"
    assert asked.headers["User-Agent"] == "mcp-client/0.1.0"


@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r"])
async def test_signs_of_life_and_other_fields_are_no_steps(
    impostor: Impostor, caller: AsyncMCPClient, end: bytes
) -> None:
    pieces = [b": ping\r\n\r\n", b"retry: 100\r\n\r\n", STARTING, b": ping\r\n", b"\r\n", b"id: 5\r\n\r\n", DONE]
    impostor.answers = [stream(*(piece.replace(b"\r\n", end) for piece in pieces))]

    assert await stages(caller) == ["starting", "done"]


async def test_a_step_may_come_in_pieces_of_a_byte(impostor: Impostor, caller: AsyncMCPClient) -> None:
    whole = STARTING + DONE.replace(b'"n": 1', '"n": "é"'.encode())
    impostor.answers = [stream(*(whole[at : at + 1] for at in range(len(whole))))]

    assert await stages(caller) == ["starting", "done"]


async def test_what_follows_the_last_step_is_not_waited_for(impostor: Impostor, caller: AsyncMCPClient) -> None:
    impostor.answers = [stream(STARTING, DONE, STARTING, then=impostor.hang)]

    async with asyncio.timeout(10):
        assert await stages(caller) == ["starting", "done"]


@pytest.mark.parametrize("end", [None, abort])
async def test_a_stream_that_breaks_off_is_not_asked_for_again(
    impostor: Impostor, caller: AsyncMCPClient, end: Handler | None
) -> None:
    impostor.answers = [stream(STARTING, step("analyzing", 0.5, 2), then=end), stream(DONE)]

    seen, error = await failure(caller)

    assert seen == ["starting", "analyzing"]
    assert (type(error), error.code, error.request_id) == (StreamBroken, "stream_broken", "mine")
    assert "watch_progress('mine')" in error.message
    assert len(impostor.asked) == 1


async def test_half_an_event_is_none(impostor: Impostor, caller: AsyncMCPClient) -> None:
    impostor.answers = [stream(STARTING, DONE[:-2])]

    seen, error = await failure(caller)

    assert (seen, type(error)) == (["starting"], StreamBroken)


async def test_the_servers_name_for_the_call_is_the_one_to_watch(impostor: Impostor, caller: AsyncMCPClient) -> None:
    impostor.answers = [stream(STARTING, X_Request_Id="theirs")]

    _, error = await failure(caller)

    assert error.request_id == "theirs"


async def test_a_silent_stream_counts_as_broken(impostor: Impostor) -> None:
    impostor.answers = [stream(STARTING, then=impostor.hang)]
    async with AsyncMCPClient(impostor.url, TOKEN, stall_timeout=0.1) as client:
        seen, error = await failure(client)

    assert (seen, type(error)) == (["starting"], StreamBroken)
    assert "silent" in str(error.__cause__)
    assert len(impostor.asked) == 1


async def test_a_stream_that_only_gives_signs_of_life_ends_with_the_callers_time(
    impostor: Impostor, caller: AsyncMCPClient
) -> None:
    async def ping(request: web.Request) -> web.StreamResponse:
        response = await stream(STARTING)(request)
        assert isinstance(response, web.StreamResponse)
        try:
            while not impostor.over.is_set():
                await asyncio.sleep(0.02)
                await response.write(b": ping\r\n\r\n")
        except ConnectionError:
            pass
        return response

    impostor.answers = [ping]

    seen, error = await failure(caller, timeout=0.3)

    assert (seen, type(error), error.request_id) == (["starting"], TimedOut, "mine")


@pytest.mark.parametrize(
    "piece",
    [
        b"data: no json\n\n",
        b"data: []\n\n",
        b'data: {"stage": "done"}\n\n',
        step("starting", 0).replace(b'"progress": 0', b'"progress": "0"').replace(b'"progress":0', b'"progress":"0"'),
        b"data: " + b"[" * 100_000 + b"\n\n",
    ],
)
async def test_a_step_of_another_shape(impostor: Impostor, caller: AsyncMCPClient, piece: bytes) -> None:
    impostor.answers = [stream(STARTING, piece, DONE)]

    seen, error = await failure(caller)

    assert (seen, type(error), error.request_id) == (["starting"], ProtocolError, "mine")


async def test_a_last_step_without_a_result_is_a_step_but_no_result(impostor: Impostor, caller: AsyncMCPClient) -> None:
    impostor.answers = [stream(step("done", 1))]

    assert await stages(caller) == ["done"]
    with pytest.raises(ProtocolError):
        await caller.call_tool_streaming("read").result()


@pytest.mark.parametrize("piece", [b"data: " + b"x" * 200_000 + b"\n\n", b":" + b"x" * 200_000, b"data: x\n" * 30_000])
async def test_an_event_beyond_the_bound(impostor: Impostor, piece: bytes) -> None:
    impostor.answers = [stream(STARTING, piece)]
    async with AsyncMCPClient(impostor.url, TOKEN, max_answer_bytes=100_000) as client:
        seen, error = await failure(client)

    assert (seen, type(error)) == (["starting"], AnswerTooLarge)


async def test_a_long_stream_of_small_events_is_within_the_bound(impostor: Impostor) -> None:
    impostor.answers = [stream(*[STARTING] * 50, DONE)]
    async with AsyncMCPClient(impostor.url, TOKEN, max_answer_bytes=1000) as client:
        assert len(await stages(client)) == 51


@pytest.mark.parametrize("answer", [good({}), plain_answer(b"<html>"), plain_answer(b"", 204)])
async def test_what_is_no_stream(impostor: Impostor, caller: AsyncMCPClient, answer: Handler) -> None:
    impostor.answers = [answer]

    seen, error = await failure(caller)

    assert (seen, type(error)) == ([], ProtocolError)


@pytest.mark.parametrize("refusal", [refused(429, "rate_limited", retry_after="0"), plain_answer(b"", 503), hang_up])
async def test_a_stream_that_has_not_begun_is_asked_for_again_where_the_tool_only_reads(
    impostor: Impostor, caller: AsyncMCPClient, refusal: Handler
) -> None:
    impostor.answers = [refusal, refusal, stream(STARTING, DONE)]
    assert await stages(caller) == ["starting", "done"]
    assert len(impostor.calls) == 3

    impostor.asked.clear()
    impostor.answers = [refusal, stream(STARTING, DONE)]
    seen, error = await failure(caller, "write")
    assert (seen, len(impostor.calls)) == ([], 1)
    assert not isinstance(error, StreamBroken)


# --- watching -----------------------------------------------------------------------------------


async def test_watching_goes_on_where_it_broke_off(impostor: Impostor, caller: AsyncMCPClient) -> None:
    impostor.answers = [
        stream(STARTING, step("analyzing", 0.2, 2), then=abort),
        hang_up,
        *(stream(step("analyzing", number / 10, number)) for number in (3, 4, 5)),
        stream(DONE),
    ]

    watched = [event["progress"] async for event in caller.watch_progress("mine")]

    assert watched == [0, 0.2, 0.3, 0.4, 0.5, 1]
    assert {(asked.method, asked.path) for asked in impostor.asked} == {("GET", "/progress/mine")}
    assert [asked.headers.get("Last-Event-ID") for asked in impostor.asked] == [None, *"22345"]
    assert "mine" not in {asked.headers["X-Request-Id"] for asked in impostor.asked}


async def test_watching_gives_up_where_nothing_new_comes(impostor: Impostor, caller: AsyncMCPClient) -> None:
    impostor.answers = [stream(STARTING), stream()]

    with pytest.raises(StreamBroken) as caught:
        await caller.watch_progress("mine").result()

    assert caught.value.request_id == "mine"
    assert len(impostor.asked) == 3  # the first, and two more that brought nothing


async def test_watching_a_call_that_the_server_has_forgotten(impostor: Impostor, caller: AsyncMCPClient) -> None:
    impostor.answers = [stream(STARTING), refused(404, "not_found")]

    with pytest.raises(NotFound):
        await caller.watch_progress("mine").result()


async def test_an_error_ends_watching_too(impostor: Impostor, caller: AsyncMCPClient) -> None:
    impostor.answers = [stream(step("error", 0.5, 2, code="shutting_down", message="Stops.", retry_after=2))]

    with pytest.raises(ServiceUnavailable) as caught:
        await caller.watch_progress("mine").result()

    assert (caught.value.message, caught.value.retry_after, caught.value.request_id) == ("Stops.", 2, "mine")
    assert len(impostor.asked) == 1


@pytest.mark.parametrize("name", ["", "..", "a/b", "a?b", "a\r\nb", "é", "x" * 200])
async def test_what_is_no_id_is_not_asked_for(caller: AsyncMCPClient, impostor: Impostor, name: str) -> None:
    with pytest.raises(ValueError, match="request_id"):
        caller.watch_progress(name)
    if name != "..":
        with pytest.raises(ValueError, match="request_id"):
            await caller.call_tool("read", request_id=name or "?")
    with pytest.raises(ValueError, match="tool"):
        caller.call_tool_streaming(name)

    assert not impostor.asked


async def test_a_dropped_stream_is_freed_without_the_garbage_collector(
    impostor: Impostor, caller: AsyncMCPClient
) -> None:
    impostor.answers = [stream(STARTING, then=impostor.hang)]
    gc.disable()
    try:
        following = caller.call_tool_streaming("read")
        await anext(following)
        gone = weakref.ref(following)
        del following
        assert gone() is None
    finally:
        gc.enable()


async def test_a_server_that_goes_before_the_stream_begins(impostor: Impostor, caller: AsyncMCPClient) -> None:
    impostor.answers = [hang_up]

    seen, error = await failure(caller)

    assert (seen, type(error)) == ([], ConnectionFailed)
    assert len(impostor.calls) == 3
