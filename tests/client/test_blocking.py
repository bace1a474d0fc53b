"""The client for code that blocks: in threads, beside an event loop, dropped, closed, interrupted."""

import asyncio
import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from mcp_client import (
    InvalidArguments,
    MCPClient,
    MCPError,
    NotFound,
    ServiceUnavailable,
    TimedOut,
    ToolStream,
)
from mcp_client.blocking import Options
from mcp_client.client import AsyncMCPClient
from tests.client.conftest import TOKEN
from tests.client.impostor import Handler, Impostor, good, refused, step, stream
from tests.client.toys import gate, serving_toys
from tests.conftest import Server
from tests.tools.office import Office

PAIR = {"agent_ids": ["ana", "bia"]}
STARTING = step("starting", 0, 1)


def threads() -> int:
    """Return how many clients' threads there are."""
    return sum(thread.name == "mcp-client" for thread in threading.enumerate())


async def all_ended(before: int) -> None:
    """Wait until there are no more of them than *before*."""
    async with asyncio.timeout(10):
        while threads() > before:  # noqa: ASYNC110 - threads have no event
            await asyncio.sleep(0.01)


async def reached(impostor: Impostor) -> None:
    """Wait until somebody asked."""
    async with asyncio.timeout(10):
        while not impostor.asked:  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0.005)


async def test_it_lists_reads_writes_and_refuses_as_the_other_one(server: Server, office: Office) -> None:
    def work() -> None:
        with MCPClient(server.url, server.token(office.tenant)) as client:
            assert "get_leads_count" in {tool["name"] for tool in client.list_tools()["tools"]}
            result = client.call_tool("get_leads_count", {"period": "all"})
            assert result["result"]["total_leads"] == 2
            first = client.call_tool("qualify_lead", office.qualification(), idempotency_key="auto")
            key = first["result"]["idempotency"]["key"]
            again = client.call_tool("qualify_lead", office.qualification(), idempotency_key=key)
            assert again["result"]["idempotency"] == {"key": key, "replayed": True}
            with pytest.raises(InvalidArguments) as caught:
                client.call_tool("get_leads_count", {}, 30)
            assert [problem["field"] for problem in caught.value.fields] == ["period"]
            with pytest.raises(NotFound):
                client.call_tool("get_weather")

    await asyncio.to_thread(work)
    assert await office.version() == 2


async def test_it_streams_and_watches(empty_url: str) -> None:
    def work(url: str, token: str) -> None:
        with MCPClient(url=url, auth_token=token) as client:
            stages = [progress["stage"] for progress in client.call_tool_streaming("compare_agents", PAIR)]
            assert stages == ["starting", "analyzing", "analyzing", "done"]
            named = client.call_tool_streaming("compare_agents", PAIR, request_id="mine")
            assert (named.result(), named.request_id) == ({"winner": "ana"}, "mine")
            assert client.watch_progress("mine").result() == {"winner": "ana"}
            with pytest.raises(ServiceUnavailable):
                client.call_tool_streaming("fail", PAIR).result()

    async with serving_toys(empty_url) as server:
        await asyncio.to_thread(work, server.url, server.token())


@pytest.mark.parametrize("how", ["close", "break", "leave"])
async def test_leaving_a_stream_stops_the_call(empty_url: str, how: str) -> None:
    def begun(client: MCPClient) -> ToolStream:
        following = client.call_tool_streaming("wait", PAIR, request_id="mine")
        assert next(following)["stage"] == "starting"
        return following

    def work(client: MCPClient) -> None:
        match how:
            case "close":
                begun(client).close()
            case "break":
                for _ in client.call_tool_streaming("wait", PAIR, request_id="mine"):
                    break
            case "leave":
                with begun(client):
                    pass

    async with serving_toys(empty_url) as server, asyncio.timeout(10):
        with MCPClient(server.url, server.token()) as client:
            await asyncio.to_thread(work, client)
            await gate("mine").cancelled.wait()


async def test_many_threads_share_one(server: Server, office: Office) -> None:
    count = 24

    def work(client: MCPClient, number: int, together: threading.Barrier) -> tuple[int, str]:
        together.wait(30)
        total = client.call_tool("get_leads_count", {"period": "all"})["result"]["total_leads"]
        with pytest.raises(NotFound) as caught:
            client.call_tool(f"tool-{number}")
        return total, caught.value.message

    loop = asyncio.get_running_loop()
    together = threading.Barrier(count)
    before = threads()
    with ThreadPoolExecutor(count) as pool, MCPClient(server.url, server.token(office.tenant)) as client:
        done = await asyncio.gather(
            *(loop.run_in_executor(pool, work, client, number, together) for number in range(count))
        )
        assert threads() == before + 1

    assert {total for total, _ in done} == {2}
    assert all(f"'tool-{number}'" in message for number, (_, message) in enumerate(done))


async def test_it_works_where_an_event_loop_runs(impostor: Impostor) -> None:
    async def in_a_notebook() -> dict[str, Any]:
        with MCPClient(impostor.url, TOKEN) as client:
            return client.call_tool("read")["result"]

    assert await asyncio.to_thread(asyncio.run, in_a_notebook()) == {"ok": True}


async def test_one_that_is_dropped_ends_its_thread(impostor: Impostor) -> None:
    before = threads()

    def work() -> None:
        client = MCPClient(impostor.url, TOKEN)
        client.list_tools()
        assert threads() == before + 1

    await asyncio.to_thread(work)
    await all_ended(before)


async def test_one_that_is_dropped_in_a_circle_is_left_to_the_garbage_collector(impostor: Impostor) -> None:
    before = threads()

    def work() -> "weakref.ref[MCPClient]":
        client = MCPClient(impostor.url, TOKEN)
        client.list_tools()
        circle: list[Any] = [client]
        circle.append(circle)
        return weakref.ref(client)

    gone = await asyncio.to_thread(work)
    gc.collect()
    assert gone() is None
    await all_ended(before)


async def test_a_stream_keeps_its_client(impostor: Impostor) -> None:
    impostor.answers = [stream(STARTING, step("done", 1, result={"n": 1}))]

    result = await asyncio.to_thread(lambda: MCPClient(impostor.url, TOKEN).call_tool_streaming("read").result())

    assert result == {"n": 1}


async def test_a_client_that_was_never_used_has_no_thread() -> None:
    before = threads()
    with MCPClient("http://127.0.0.1:1", TOKEN) as client:
        assert threads() == before
    client.close()
    with pytest.raises(RuntimeError, match="closed"):
        client.list_tools()


@pytest.mark.parametrize("answer", ["call", "stream"])
async def test_closing_it_wakes_those_who_wait(impostor: Impostor, answer: str) -> None:
    impostor.answers = [impostor.hang if answer == "call" else stream(STARTING, then=impostor.hang)]
    before = threads()
    client = MCPClient(impostor.url, TOKEN)
    following = client.call_tool_streaming("read")
    waiting = asyncio.create_task(
        asyncio.to_thread(following.result) if answer == "stream" else asyncio.to_thread(client.call_tool, "read")
    )
    await reached(impostor)

    await asyncio.to_thread(client.close)

    with pytest.raises(RuntimeError, match="closed"):
        await waiting
    with pytest.raises(RuntimeError, match="closed"):
        next(following)
    assert threads() == before


async def test_the_callers_time_counts_and_the_client_goes_on(impostor: Impostor) -> None:
    impostor.answers = [impostor.hang, good({"n": 1})]

    def work() -> None:
        with MCPClient(impostor.url, TOKEN) as client:
            with pytest.raises(TimedOut):
                client.call_tool("read", timeout=0.1)
            assert client.call_tool("read")["result"] == {"n": 1}

    await asyncio.to_thread(work)


async def test_options_reach_the_client_within(impostor: Impostor, short_pauses: None) -> None:
    def work(**options: Any) -> Any:
        with MCPClient(impostor.url, TOKEN, **options) as client:
            return client.call_tool("read")["result"]

    answers: list[Handler] = [refused(429, "rate_limited", retry_after="0"), good({"n": 1})]
    impostor.answers = list(answers)
    with pytest.raises(MCPError):
        await asyncio.to_thread(work, retries=0)
    impostor.answers = list(answers)
    assert await asyncio.to_thread(work, retries=1) == {"n": 1}
    with pytest.raises(MCPError, match="answer_too_large"):
        await asyncio.to_thread(work, max_answer_bytes=5)


def test_both_clients_take_the_same() -> None:
    taken = AsyncMCPClient.__init__.__annotations__.keys() - {"base_url", "auth_token", "return"}
    assert taken == Options.__annotations__.keys()
    for name in ("list_tools", "call_tool", "call_tool_streaming", "watch_progress"):
        ours, others = getattr(MCPClient, name), getattr(AsyncMCPClient, name)
        assert ours.__defaults__ == others.__defaults__ and ours.__kwdefaults__ == others.__kwdefaults__
        assert ours.__annotations__.keys() == others.__annotations__.keys()
