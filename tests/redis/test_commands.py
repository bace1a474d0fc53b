"""Commands that change a tenant's data make what servers have cached of it forgotten."""

import asyncio
from typing import Any

import pytest

from tests.commands.program import Said, command
from tests.conftest import Crm, Server, StartServer
from tests.redis.server import free_port
from tests.redis.test_replicas import ALL, TENANT, demo, sharing

__all__ = ["demo", "sharing"]


async def said(crm: Crm, sharing: dict[str, Any], *arguments: str, **changed: str) -> Said:
    environment = {
        "DATABASE_OWNER_URL": crm.owner_url,
        "REDIS_URL": sharing["redis_url"].get_secret_value(),
        "REDIS_PREFIX": sharing["redis_prefix"],
    }
    return await asyncio.to_thread(command, *arguments, **{**environment, **changed})


async def is_hit(server: Server, tenant: str = TENANT) -> bool:
    status, answer = await server.execute("get_leads_count", ALL, server.bearer(tenant))
    assert status == 200
    hit: bool = answer["cache"]["hit"]
    return hit


@pytest.fixture
async def server(demo: Crm, start_server: StartServer, sharing: dict[str, Any]) -> Server:
    return await start_server(**sharing)


async def test_a_changed_setting_counts_at_once(server: Server, demo: Crm, sharing: dict[str, Any]) -> None:
    await is_hit(server)
    assert await is_hit(server)

    changed = await said(demo, sharing, "tenant", "set", "--tenant", TENANT, "time_zone=America/Recife")

    assert changed.status == 0, changed
    _, answer = await server.execute("get_leads_count", ALL, server.bearer(TENANT))
    assert answer["cache"]["hit"] is False
    assert answer["result"]["period"]["time_zone"] == "America/Recife"


async def test_data_that_was_loaded_is_seen_at_once(server: Server, demo: Crm, sharing: dict[str, Any]) -> None:
    await is_hit(server, "new")
    assert await is_hit(server, "new")

    loaded = await said(demo, sharing, "demo", "--tenant", "new", "--contacts", "5")

    assert loaded.status == 0, loaded
    assert not await is_hit(server, "new")


async def test_where_redis_is_gone_the_change_is_made_all_the_same_and_says_so(
    demo: Crm, sharing: dict[str, Any]
) -> None:
    changed = await said(
        demo,
        sharing,
        *("tenant", "set", "--tenant", TENANT, "time_zone=America/Recife"),
        REDIS_URL=f"redis://127.0.0.1:{free_port()}/0",
    )

    assert changed.status == 0
    assert "up to 5 minutes" in changed.err


async def test_an_address_of_redis_that_is_none_is_a_sentence(demo: Crm, sharing: dict[str, Any]) -> None:
    changed = await said(
        demo, sharing, "tenant", "set", "--tenant", TENANT, "language=en", REDIS_URL="http://secret@host"
    )

    assert changed.status == 1
    assert "REDIS_URL must be like redis://" in changed.err and "secret" not in changed.err
    assert not await demo.owner.fetchval("select count(*) from mcp_store.tenant_settings where key = 'language'")
