"""Streams from the real server: steps, results, refusals, and who goes away."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from mcp_client import (
    AsyncMCPClient,
    Cancelled,
    Conflict,
    InvalidArguments,
    NotFound,
    PermissionDenied,
    ProgressEvent,
    ServiceUnavailable,
    TimedOut,
)
from tests.client.reading import until_it_fails
from tests.client.toys import gate, serving_toys
from tests.conftest import Server
from tests.tools.office import Office

PAIR = {"agent_ids": ["ana", "bia"]}


@pytest.fixture
async def toys(empty_url: str) -> AsyncIterator[Server]:
    async with serving_toys(empty_url, progress_wait_seconds=0.1) as server:
        yield server


@pytest.fixture
async def follower(toys: Server) -> AsyncIterator[AsyncMCPClient]:
    async with AsyncMCPClient(toys.url, toys.token()) as client:
        yield client


async def test_every_step_is_given_and_the_last_bears_the_result(follower: AsyncMCPClient) -> None:
    steps = [step async for step in follower.call_tool_streaming("compare_agents", PAIR)]

    assert [step["stage"] for step in steps] == ["starting", "analyzing", "analyzing", "done"]
    assert [step["progress"] for step in steps] == sorted({step["progress"] for step in steps})
    assert set(steps[0]) == set(ProgressEvent.__annotations__)
    assert steps[1]["data"] == {"agent_id": "ana"} and steps[1]["message"] == "Agent ana."
    assert steps[-1]["data"] == {"result": {"winner": "ana"}, "winner": "ana"}
    assert steps[-1]["progress"] == 1


async def test_the_result_can_be_had_alone_or_after_some_steps(follower: AsyncMCPClient) -> None:
    assert await follower.call_tool_streaming("compare_agents", PAIR).result() == {"winner": "ana"}

    async with follower.call_tool_streaming("compare_agents", PAIR) as stream:
        async for step in stream:
            if step["stage"] == "analyzing":
                break
        assert await stream.result() == {"winner": "ana"}
        assert await stream.result() == {"winner": "ana"}


async def test_the_streaming_tools_also_answer_at_once(follower: AsyncMCPClient) -> None:
    assert (await follower.call_tool("compare_agents", PAIR))["result"] == {"winner": "ana"}


async def test_a_failure_in_the_middle_is_a_step_and_then_an_exception(follower: AsyncMCPClient) -> None:
    stream = follower.call_tool_streaming("fail", PAIR, request_id="mine")

    steps, error = await until_it_fails(stream)

    assert type(error) is ServiceUnavailable
    assert [step["stage"] for step in steps] == ["starting", "analyzing", "error"]
    assert steps[-1]["data"]["code"] == error.code == "dependency_unavailable"
    assert (error.message, error.retry_after, error.request_id) == ("The model does not answer.", 3, "mine")
    with pytest.raises(ServiceUnavailable):
        await stream.result()


async def test_what_is_refused_before_the_tool_begins_has_its_status(toys: Server, follower: AsyncMCPClient) -> None:
    with pytest.raises(InvalidArguments) as bad:
        await follower.call_tool_streaming("compare_agents", {"agent_ids": ["ana"]}).result()
    assert (bad.value.status, bad.value.fields[0]["field"]) == (400, "agent_ids")

    with pytest.raises(NotFound):
        await follower.call_tool_streaming("get_weather").result()

    async with AsyncMCPClient(toys.url, toys.token(permissions=["contacts.view"])) as client:
        with pytest.raises(PermissionDenied) as denied:
            await anext(client.call_tool_streaming("compare_agents", PAIR))
    assert denied.value.missing == ["analytics.view"]


async def test_nothing_is_called_before_the_first_step_is_asked_for(follower: AsyncMCPClient) -> None:
    stream = follower.call_tool_streaming("compare_agents", PAIR, request_id="mine")
    await stream.close()

    assert [step async for step in stream] == []
    with pytest.raises(RuntimeError, match="closed before its end"):
        await stream.result()
    with pytest.raises(NotFound):
        await follower.watch_progress("mine").result()


@pytest.mark.parametrize("how", ["close", "break", "cancel", "time out"])
async def test_leaving_a_stream_stops_the_call(follower: AsyncMCPClient, how: str) -> None:
    timeout = 0.3 if how == "time out" else 60
    stream = follower.call_tool_streaming("wait", PAIR, timeout, request_id="mine")
    assert (await anext(stream))["stage"] == "starting"
    assert (await anext(stream))["stage"] == "analyzing"
    match how:
        case "close":
            await stream.close()
        case "break":
            del stream  # as a loop does that is broken off
        case "cancel":
            reading = asyncio.create_task(stream.result())
            await asyncio.sleep(0)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
        case "time out":
            with pytest.raises(TimedOut) as caught:
                await stream.result()
            assert caught.value.request_id == "mine"

    async with asyncio.timeout(10):
        await gate("mine").cancelled.wait()
    with pytest.raises(Cancelled):
        await follower.watch_progress("mine").result()


async def test_a_call_is_watched_from_elsewhere_early_and_late(follower: AsyncMCPClient) -> None:
    call = asyncio.create_task(follower.call_tool("wait", PAIR, request_id="mine"))
    async with asyncio.timeout(10):
        while (early := await _first_step(follower)) is None:
            pass
    assert early["stage"] == "starting"
    watcher = follower.watch_progress("mine")
    assert [(await anext(watcher))["stage"] for _ in range(2)] == ["starting", "analyzing"]
    assert watcher.request_id == "mine"
    gate("mine").open.set()

    assert await watcher.result() == (await call)["result"] == {"winner": "ana"}
    assert [step["stage"] async for step in follower.watch_progress("mine")] == ["starting", "analyzing", "done"]


async def _first_step(follower: AsyncMCPClient) -> ProgressEvent | None:
    try:
        async with follower.watch_progress("mine") as stream:
            return await anext(stream)
    except NotFound:
        return None


async def test_an_id_in_use_is_refused(follower: AsyncMCPClient) -> None:
    async with follower.call_tool_streaming("wait", PAIR, request_id="mine") as stream:
        await anext(stream)
        with pytest.raises(Conflict) as caught:
            await follower.call_tool_streaming("compare_agents", PAIR, request_id="mine").result()

    assert caught.value.code == "duplicate_request"


async def test_nobody_watches_another_tenants_call(toys: Server, follower: AsyncMCPClient) -> None:
    await follower.call_tool_streaming("compare_agents", PAIR, request_id="mine").result()

    async with AsyncMCPClient(toys.url, toys.token("tenant-b")) as stranger:
        with pytest.raises(NotFound):
            await stranger.watch_progress("mine").result()


async def test_a_real_comparison_is_followed(client: AsyncMCPClient, office: Office) -> None:
    stream = client.call_tool_streaming("compare_agents", {"agent_ids": [str(office.ana.id), str(office.bia.id)]})

    steps = [step async for step in stream]

    assert (steps[0]["stage"], steps[-1]["stage"]) == ("starting", "done")
    assert "analyzing" in {step["stage"] for step in steps}
    assert steps[-1]["data"]["winner"] is None  # nobody has won anything yet
    result = await stream.result()
    assert result["comparison_id"] == stream.request_id
    assert {agent["agent_id"] for agent in result["agents"]} == {str(office.ana.id), str(office.bia.id)}
