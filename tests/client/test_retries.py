"""What is asked again, how often, when, and what never."""

import asyncio
from itertools import pairwise

import pytest

from mcp_client import AsyncMCPClient, MCPError, RateLimited, ServiceUnavailable
from mcp_client.retries import pause
from tests.client.conftest import TOKEN
from tests.client.impostor import (
    LIST,
    Handler,
    Impostor,
    break_off,
    good,
    hang_up,
    json_answer,
    plain_answer,
    refused,
    running_impostor,
)

BUSY = refused(429, "rate_limited", retry_after="0")
DOWN = refused(503, "dependency_unavailable", retry_after="0")
WORTH_IT = [BUSY, DOWN, plain_answer(b"", 503), hang_up, break_off]


@pytest.mark.parametrize("failing", WORTH_IT)
async def test_a_read_is_asked_again(impostor: Impostor, caller: AsyncMCPClient, failing: Handler) -> None:
    impostor.answers = [failing, failing, good({"n": 1})]

    assert (await caller.call_tool("read", {"a": 1}, request_id="mine"))["result"] == {"n": 1}

    assert [asked.body for asked in impostor.calls] == [{"tool_name": "read", "arguments": {"a": 1}}] * 3
    assert [asked.headers["X-Request-Id"] for asked in impostor.calls] == ["mine", "mine-2", "mine-3"]


@pytest.mark.parametrize("failing", WORTH_IT)
async def test_a_write_with_a_key_is_asked_again_with_the_same_key(
    impostor: Impostor, caller: AsyncMCPClient, failing: Handler
) -> None:
    impostor.answers = [failing, failing, good({"n": 1})]

    await caller.call_tool("write", idempotency_key="auto")

    assert len(impostor.calls) == 3
    assert len({asked.body["arguments"]["idempotency_key"] for asked in impostor.calls}) == 1
    assert len(impostor.asked) == 3  # nobody had to look whether it is a read


@pytest.mark.parametrize("failing", WORTH_IT)
@pytest.mark.parametrize("tool", ["write", "silent", "unknown"])
async def test_what_is_not_known_to_be_a_read_is_asked_once(
    impostor: Impostor, caller: AsyncMCPClient, tool: str, failing: Handler
) -> None:
    impostor.answers = [failing, good({"n": 1})]

    with pytest.raises(MCPError):
        await caller.call_tool(tool)

    assert len(impostor.calls) == 1


async def test_what_is_a_read_is_looked_up_once_and_only_after_a_failure(
    impostor: Impostor, caller: AsyncMCPClient
) -> None:
    await caller.call_tool("read")
    assert [asked.path for asked in impostor.asked] == ["/v1/tools/execute"]

    impostor.answers = [BUSY, good({"n": 1}), BUSY, good({"n": 2})]
    await caller.call_tool("read")
    await caller.call_tool("read")

    assert [asked.path for asked in impostor.asked].count(LIST) == 1


async def test_without_a_list_nothing_is_known_to_be_a_read(impostor: Impostor, caller: AsyncMCPClient) -> None:
    impostor.lists = [json_answer({"error": {"code": "internal", "message": "No."}}, 500)]
    impostor.answers = [BUSY, good({"n": 1})]

    with pytest.raises(RateLimited):
        await caller.call_tool("read")


async def test_the_list_itself_is_asked_again(impostor: Impostor, caller: AsyncMCPClient) -> None:
    impostor.lists = [hang_up, DOWN, *impostor.lists]

    assert (await caller.list_tools())["count"] == 3
    assert len(impostor.asked) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 500, 502, 504])
async def test_what_waiting_does_not_mend_is_asked_once(
    impostor: Impostor, caller: AsyncMCPClient, status: int
) -> None:
    impostor.answers = [refused(status, "x"), good({})]
    with pytest.raises(MCPError):
        await caller.call_tool("read")

    assert len(impostor.asked) == 1


async def test_after_the_last_retry_the_failure_is_raised(impostor: Impostor, short_pauses: None) -> None:
    impostor.answers = [DOWN]
    for retries in (0, 1, 3):
        impostor.asked.clear()
        async with AsyncMCPClient(impostor.url, TOKEN, retries=retries) as client:
            with pytest.raises(ServiceUnavailable) as caught:
                await client.call_tool("read", idempotency_key="k")
        assert len(impostor.calls) == 1 + retries
        assert (caught.value.retry_after, caught.value.idempotency_key) == (0, "k")


async def test_a_server_that_comes_back_is_found(unused_tcp_port: int, short_pauses: None) -> None:
    async with (
        AsyncMCPClient(f"http://127.0.0.1:{unused_tcp_port}", TOKEN, retries=1000) as client,
        asyncio.timeout(30),
    ):
        call = asyncio.create_task(client.call_tool("write", idempotency_key="k"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(call), 0.1)
        async with running_impostor(unused_tcp_port):
            assert (await call)["result"] == {"ok": True}


async def test_it_waits_as_long_as_the_server_says(impostor: Impostor, caller: AsyncMCPClient) -> None:
    impostor.answers = [refused(429, "rate_limited", retry_after="1"), good({})]

    await caller.call_tool("read", idempotency_key="k")

    (first, second) = impostor.calls
    assert second.at - first.at >= 1


async def test_it_does_not_wait_beyond_the_callers_own_time(impostor: Impostor, caller: AsyncMCPClient) -> None:
    impostor.answers = [refused(429, "rate_limited", retry_after="3600")]

    async with asyncio.timeout(30):
        with pytest.raises(RateLimited) as caught:
            await caller.call_tool("read", timeout=60)

    assert caught.value.retry_after == 3600
    assert len(impostor.asked) == 1


@pytest.mark.parametrize("attempt", range(1, 12))
def test_pauses_grow_within_bounds_and_differ(attempt: int) -> None:
    longest = min(0.25 * 2 ** (attempt - 1), 8)
    error = RateLimited("No.", retry_after=5)

    pauses = [pause(attempt, error) for _ in range(100)]

    assert all(5 + longest / 2 <= wait <= 5 + longest for wait in pauses)
    assert any(one != other for one, other in pairwise(pauses))
