"""Two servers behind a balancer, restarted one after the other amid load: no call fails, and no stream is left."""

import asyncio
import os
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from aiohttp import ClientSession, TCPConnector

from rpc_server.backends.tokens import Tokens
from tests.conftest import SECRET, Crm
from tests.faults.balancer import Balancer, balancing
from tests.faults.changes import TENANT
from tests.faults.load import constant_load
from tests.faults.nursery import Nursery
from tests.faults.servers import Process, started
from tests.faults.tenants import filled, held
from tests.faults.verdict import assert_chain_holds, assert_consistent, assert_nothing_in_flight, judge
from tests.faults.waiting import until

# Of each server.
RESTARTS = int(os.environ.get("FAULT_RESTARTS", "1"))
STREAMS = 4
# What does not look at messages, which are held back; who took part in a conversation stands in them, too.
READS = ("get_leads_count", "find_contacts", "list_pipelines")
CHANGES = ("qualify_lead", "update_pipeline_stage")
AGENT = "select id from agents where tenant_id = $1 and type = 'human' and deleted_at is null order by id limit 1"


class Pair:
    """Two servers, each at an address of its own, that it has again after a restart."""

    def __init__(self, crm: Crm, nursery: Nursery, folder: Path, grace_seconds: str) -> None:
        self.urls: list[str] = []
        self.statuses: list[int] = []
        self._nursery = nursery
        self._folder = folder
        self._processes: list[Process] = []
        self._starts = 0
        self._environment = {
            "DATABASE_URL": crm.server_url,
            "JWT_SECRET": SECRET,
            "CACHE": "off",
            "RATE_LIMIT_WRITE": "0",
            "RATE_LIMIT_ANALYSIS": "0",
            "ANALYSIS_CONCURRENCY": "0",
            "LOG_LEVEL": "warning",
            "DRAIN_SECONDS": "1",
            "READY_GRACE_SECONDS": grace_seconds,
        }

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Pair"]:
        """Run both while the block runs."""
        try:
            for _ in range(2):
                self._processes.append(await self._start(free_port()))
                self.urls.append(self._processes[-1].url)
            yield self
        finally:
            for process in self._processes:
                process.kill()

    async def restart(self, place: int, balancer: Balancer) -> None:
        """End a server, start it anew, and wait until the balancer has it back."""
        old = self._processes[place]
        old.terminate()
        self.statuses.append(await asyncio.to_thread(self._nursery.status, old.pid))
        self._processes[place] = await self._start(old.port)
        await until(lambda: old.url in balancer.ready)

    async def _start(self, port: int) -> Process:
        self._starts += 1
        output = self._folder / f"server-{self._starts}.log"
        return await started(self._nursery, output, {**self._environment, "PORT": str(port)})


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


class Streams:
    """Clients that follow an analysis to its end, and then another one."""

    def __init__(self, url: str, agent: str) -> None:
        self.ends: Counter[str] = Counter()
        self._url = f"{url}/v1/tools/analyze_agent_messages/stream"
        self._agent = agent
        self._tokens = Tokens(SECRET)

    @asynccontextmanager
    async def followed(self) -> AsyncIterator["Streams"]:
        """Follow several while the block runs, and to their ends."""
        stopped = asyncio.Event()
        async with ClientSession(connector=TCPConnector(limit=0)) as session, asyncio.TaskGroup() as followers:
            for number in range(STREAMS):
                followers.create_task(self._follow(session, number, stopped))
            try:
                yield self
            finally:
                stopped.set()

    async def _follow(self, session: ClientSession, number: int, stopped: asyncio.Event) -> None:
        bearer = self._tokens.sign(TENANT, f"follower-{number}", ["*"], timedelta(hours=1))
        headers = {"Authorization": f"Bearer {bearer}"}
        while not stopped.is_set():
            async with session.get(self._url, params={"agent_id": self._agent}, headers=headers) as response:
                said = (await response.read()).decode()
            self.ends[_end_of(response.status, said)] += 1


def _end_of(status: int, said: str) -> str:
    if status != 200:
        return f"{status}: {orjson.loads(said)['error']['code']}"
    last = orjson.loads(said.strip().rpartition("data: ")[2])
    return str(last["data"].get("code", last["stage"]))


@pytest.mark.parametrize("grace_seconds", ["0.5", "0"])
async def test_no_call_fails_and_each_stream_is_told_how_it_ends(
    crm: Crm, nursery: Nursery, tmp_path: Path, grace_seconds: str
) -> None:
    plan, before = await filled(crm.owner_url, changes=CHANGES)
    agent = str(await crm.owner.fetchval(AGENT, TENANT))
    async with (
        Pair(crm, nursery, tmp_path, grace_seconds).running() as pair,
        balancing(pair.urls) as balancer,
    ):
        await until(lambda: len(balancer.ready) == 2)
        streams = Streams(balancer.url, agent)
        async with constant_load(balancer.url, plan, tools=READS) as load, streams.followed():
            await load.some_more()
            async with held(crm.owner_url, "messages"):  # so that no analysis ends by itself
                for place in (0, 1) * RESTARTS:
                    await load.some_more()
                    await pair.restart(place, balancer)
                await load.some_more()
            await load.some_more()

    print(f"restarts {len(pair.statuses)}, {grace_seconds} s of grace: {load.figures}; {load.client}")
    print(f"sent to the other server: {dict(balancer.again)}; broken: {dict(balancer.broken)}; {dict(streams.ends)}")
    assert pair.statuses == [0, 0] * RESTARTS
    assert (load.figures.failed, load.client.troubles, balancer.broken) == ({}, {}, {})
    assert (load.figures.foreign, load.figures.wrong) == ([], [])
    assert set(streams.ends) == {"done", "shutting_down"}
    assert streams.ends["shutting_down"] >= STREAMS
    await assert_nothing_in_flight(crm.owner)
    verdict = await judge(crm.owner, load.client.answers)
    assert (verdict.lost, verdict.doubled) == ({}, {})
    await assert_consistent(crm.owner, load.client.answers, before)
    await assert_chain_holds(crm.owner)
