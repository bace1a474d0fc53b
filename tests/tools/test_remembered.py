"""What is remembered between calls never shows: neither old settings nor another tenant's, and no garbage is left."""

import gc
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from handlers import CATALOG
from rpc_server.app import LAYERS
from rpc_server.calls.call import Calls
from rpc_server.contract.caller import Caller
from tests.conftest import Crm

TODAY = {"period": "today"}


async def zone_of(crm: Crm, tenant: str) -> Any:
    return (await crm.call("get_leads_count", TODAY, tenant=tenant))["period"]["time_zone"]


async def set_zone(crm: Crm, tenant: str, zone: str) -> None:
    await crm.owner.execute(
        "insert into mcp_store.tenant_settings (tenant_id, key, value) values ($1, 'time_zone', $2)"
        " on conflict (tenant_id, key) do update set value = excluded.value",
        tenant,
        json.dumps(zone),
    )


@pytest.mark.parametrize("tool", ["get_leads_count", "get_agent_conversion_stats"])
async def test_a_setting_that_was_changed_counts_in_the_very_next_answer(crm: Crm, tool: str) -> None:
    asked = TODAY if tool == "get_leads_count" else {}
    for zone in ("America/Recife", "Asia/Tokyo", "America/Recife"):
        await set_zone(crm, "changing", zone)

        found = await crm.call(tool, asked, tenant="changing")

        assert found["period"]["time_zone"] == zone
        assert found["as_of"].endswith("+09:00" if zone == "Asia/Tokyo" else "-03:00")


async def test_what_one_tenant_has_set_counts_for_nobody_else(crm: Crm) -> None:
    await set_zone(crm, "one", "Asia/Tokyo")

    assert [await zone_of(crm, tenant) for tenant in ("one", "other", "one")] == [
        "Asia/Tokyo",
        "America/Sao_Paulo",
        "Asia/Tokyo",
    ]


async def test_a_call_leaves_nothing_to_the_garbage_collector(crm: Crm, garbage: list[Any]) -> None:
    """What holds each other outlives its call, which cost a quarter of a call's time once."""
    caller = Caller("tenant", "tester", frozenset("*"))
    async with Calls(CATALOG, LAYERS, crm.postgres, lambda: datetime.now(UTC)) as calls:
        for _ in range(3):
            outcome = await calls.run("get_leads_count", TODAY, caller, "test")
            assert outcome.error is None
        del outcome
        gc.collect()

        assert [found for found in garbage if type(found).__module__.startswith("rpc_server")] == []
