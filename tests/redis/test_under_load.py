"""Two replicas under load while Redis is frozen, killed, filled up and mended: staleness is all that shows."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count, cycle
from typing import Any

import pytest
from pydantic import SecretStr

from tests.conftest import Crm, Server, StartServer
from tests.redis.polling import until
from tests.redis.server import RedisServer
from tests.redis.test_faults import MOST_SECONDS, fill_up, freeze, healed, kill, make_read_only, mend
from tests.redis.test_replicas import ALL, TENANT, decision, demo

__all__ = ["demo"]


@dataclass
class Load:
    """Callers that do not stop, and what came of their calls."""

    servers: Iterator[Server]
    contacts: Iterator[str]
    calls: int = 0
    changed: int = 0
    failed: list[Any] = field(default_factory=list)
    longest: float = 0.0
    stopping: bool = False

    async def read(self) -> None:
        while not self.stopping:
            await self._call("get_leads_count", ALL)

    async def write(self, number: int) -> None:
        for turn in count():
            if self.stopping:
                return
            status = "qualified" if turn % 2 else "unqualified"
            change = decision(next(self.contacts), status=status, idempotency_key=f"{number}-{turn}")
            answer = await self._call("qualify_lead", change)
            self.changed += bool(answer) and answer["result"]["changed"]

    async def _call(self, tool: str, arguments: dict[str, Any]) -> Any:
        server = next(self.servers)
        started = time.monotonic()
        status, answer = await server.execute(tool, arguments, server.bearer(TENANT))
        self.longest = max(self.longest, time.monotonic() - started)
        self.calls += 1
        if status != 200:
            self.failed.append((status, answer))
            return None
        return answer


@pytest.mark.timeout(240)
async def test_no_call_fails_or_hangs_and_no_change_is_lost_or_made_twice(
    demo: Crm, start_server: StartServer, own_redis: RedisServer
) -> None:
    servers = [await start_server(redis_url=SecretStr(own_redis.url), cache="auto") for _ in range(2)]
    contacts = await demo.owner.fetch("select id::text from public.contacts where tenant_id = $1", TENANT)
    before = await audited(demo)
    load = Load(cycle(servers), cycle([contact["id"] for contact in contacts]))
    callers = [asyncio.create_task(load.read()) for _ in range(8)]
    callers += [asyncio.create_task(load.write(number)) for number in range(4)]
    recovered = []
    for trouble in (freeze, kill, fill_up, make_read_only):
        await some_calls(load)
        trouble(own_redis)
        await some_calls(load)
        mend(own_redis, trouble)
        mended = time.monotonic()
        await until(lambda: all_healed(servers))
        recovered.append(round(time.monotonic() - mended, 2))
    load.stopping = True
    await asyncio.gather(*callers)

    print(f"{load.calls} calls, longest {load.longest:.2f} s, {load.changed} changes, recovered in {recovered} s")
    assert not load.failed
    # Loaded or not, no call waits for Redis more than a moment; the rest is PostgreSQL and this machine.
    assert load.longest < 5 * MOST_SECONDS
    assert await audited(demo) - before == load.changed
    figures = [await qualified(server) for server in (await start_server(), *servers * 2)]
    assert len(set(figures)) == 1, figures  # the first one caches nothing


async def qualified(server: Server) -> int:
    _, answer = await server.execute("get_leads_count", ALL, server.bearer(TENANT))
    number: int = answer["result"]["qualified_leads"]
    return number


async def all_healed(servers: list[Server]) -> bool:
    return all([await healed(server) for server in servers])


async def some_calls(load: Load) -> None:
    wanted = load.calls + 60

    async def made() -> bool:
        return load.calls >= wanted

    await until(made)


async def audited(crm: Crm) -> int:
    number: int = await crm.owner.fetchval(
        "select count(*) from mcp_store.audit_log where tenant_id = $1 and entry ->> 'outcome' = 'changed'", TENANT
    )
    return number
