"""A request frees by itself all that it held: what the garbage collector has to find costs every request time."""

import gc
from typing import Any

import pytest

from rpc_server.calls.tracing import Wire
from tests.wire.client import Client
from tests.wire.mcp import EVERY, McpClient

pytestmark = pytest.mark.asyncio(loop_scope="session")


OURS = "no garbage "


@pytest.mark.parametrize("version", EVERY)
async def test_a_call_over_mcp_leaves_nothing_to_the_garbage_collector(
    client: Client, version: str, garbage: list[Any]
) -> None:
    mcp = await McpClient(client.server, version).start()
    for number in range(3):
        reply = await mcp.call("get_leads_count", {"period": "today"}, id=f"{OURS}{number}")
        assert reply.status == 200
    gc.collect()

    assert [found for found in garbage if is_of_a_call(found)] == []


def is_of_a_call(found: Any) -> bool:
    """Tell whether something is of a call made here: connections of others may end meanwhile, with their last one."""
    if isinstance(found, Wire):
        return found.request_id.startswith(OURS)
    return type(found).__module__.startswith("rpc_server")
