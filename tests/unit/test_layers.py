"""What surrounds a call, and in which order."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from rpc_server.app import LAYERS, layers
from rpc_server.calls.layers import Layer, Next, compose
from rpc_server.calls.layers.audit import audit
from rpc_server.calls.layers.deadline import deadline
from rpc_server.calls.layers.log import log
from rpc_server.calls.layers.permit import permit
from rpc_server.calls.layers.validate import validate
from rpc_server.contract.caller import Caller
from rpc_server.contract.errors import DeadlineExceeded, Internal, InvalidArguments, NotFound, PermissionDenied
from rpc_server.contract.result import Result
from rpc_server.contract.tool import Call
from tests.wire.probes import Heard, Probes, Said

HEARD = Heard(times=1)


def call(name: str = "hear", arguments: Any = None, permissions: tuple[str, ...] = ("*",)) -> Call:
    database: Any = None
    caller = Caller("tenant", "user", frozenset(permissions))
    return Call(Probes().tools[name], caller, arguments, "id", datetime.now(UTC), database, lambda tenant, entry: None)


def noting(name: str, notes: list[str]) -> Layer:
    async def layer(proceed: Next, call: Call) -> Result:
        notes.append(f"before:{name}")
        try:
            return await proceed(call)
        finally:
            notes.append(f"after:{name}")

    return layer


async def heard(call: Call) -> Result:
    return HEARD


def test_the_layers_stand_in_this_order() -> None:
    limit, cache, metrics, trace = (noting(name, []) for name in ("limit", "cache", "metrics", "trace"))

    assert layers(limit, cache, metrics=metrics, trace=trace) == (
        trace,
        metrics,
        log,
        limit,
        audit,
        deadline,
        permit,
        validate,
        cache,
    )


async def test_the_first_layer_is_the_outermost() -> None:
    notes: list[str] = []

    async def tool(call: Call) -> Result:
        notes.append("tool")
        return HEARD

    assert await compose([noting("a", notes), noting("b", notes)], tool)(call()) is HEARD
    assert notes == ["before:a", "before:b", "tool", "after:b", "after:a"]


async def test_an_error_goes_out_through_every_layer() -> None:
    notes: list[str] = []

    async def tool(call: Call) -> Result:
        raise NotFound("Gone.")

    with pytest.raises(NotFound):
        await compose([noting("a", notes), noting("b", notes)], tool)(call())

    assert notes == ["before:a", "before:b", "after:b", "after:a"]


def test_without_layers_there_is_the_tool_alone() -> None:
    assert compose([], heard) is heard


async def test_a_stranger_learns_nothing_of_a_tools_arguments() -> None:
    with pytest.raises(PermissionDenied):
        await compose(LAYERS, heard)(call(arguments={"nonsense": 1}, permissions=("members.view",)))


async def test_whoever_may_call_is_told_what_is_wrong_with_the_arguments() -> None:
    with pytest.raises(InvalidArguments, match="nonsense: is not an argument"):
        await compose(LAYERS, heard)(call(arguments={"nonsense": 1}))


async def test_the_tool_gets_its_arguments_as_its_model_and_the_time_it_has() -> None:
    seen: list[Call] = []

    async def tool(call: Call) -> Result:
        seen.append(call)
        return HEARD

    started = asyncio.get_running_loop().time()
    await compose(LAYERS, tool)(call(arguments={"word": " olá "}))

    assert seen[0].arguments == Said(word="olá")
    assert seen[0].deadline == pytest.approx(started + 60, abs=1)


async def test_a_call_ends_at_its_tools_deadline() -> None:
    async def tool(call: Call) -> Result:
        await asyncio.sleep(60)
        return HEARD

    with pytest.raises(DeadlineExceeded, match=r"dream did not finish within 0\.05 s"):
        await compose(LAYERS, tool)(call("dream"))


async def test_who_calls_a_call_off_comes_before_its_deadline() -> None:
    entered = asyncio.Event()

    async def tool(call: Call) -> Result:
        entered.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(60)  # slow to stop, so that its time is over as well
        return HEARD

    running = asyncio.ensure_future(compose(LAYERS, tool)(call("dream")))
    await entered.wait()
    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running
    assert running.cancelled()


async def test_a_deadline_that_its_tool_survives_leaves_the_task_as_it_was() -> None:
    async def tool(call: Call) -> Result:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        return HEARD

    task = asyncio.current_task()
    assert task is not None

    assert await compose(LAYERS, tool)(call("dream")) == HEARD
    assert not task.cancelling()
    await asyncio.sleep(0)  # nothing is left that would end it


async def test_what_nobody_foresaw_becomes_an_incident() -> None:
    async def tool(call: Call) -> Result:
        raise KeyError("internal detail")

    with pytest.raises(Internal) as raised:
        await compose(LAYERS, tool)(call())

    assert "detail" not in str(raised.value.as_dict())
    assert raised.value.details["incident"]


async def test_a_cancelled_call_is_cancelled_and_nothing_else() -> None:
    running = asyncio.create_task(_forever())
    await asyncio.sleep(0)
    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running


async def _forever() -> Result:
    async def tool(call: Call) -> Result:
        await asyncio.sleep(60)
        return HEARD

    return await compose(LAYERS, tool)(call())
