"""Hours in short: calls, changes, streams and clients that leave, with Redis and without, and nothing grows.

`make test` soaks for seconds, `make ci-slow` for a minute; SOAK_SECONDS says how long.
"""

import asyncio
import json
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientSession, ClientTimeout, TCPConnector
from scipy.stats import linregress

from rpc_server.backends.tokens import Tokens
from tests.conftest import SECRET, Crm
from tests.faults.load import constant_load
from tests.faults.nursery import Nursery
from tests.faults.servers import Process, started
from tests.faults.tenants import filled
from tests.faults.verdict import assert_chain_holds, assert_nothing_in_flight, judge
from tests.faults.waiting import until
from tests.redis.server import RedisServer, running_redis
from tests.tenancy.crowd import TENANTS
from tests.tenancy.rows import AGENTS, Marked

SECONDS = float(os.environ.get("SOAK_SECONDS", "8"))
# What is shorter says nothing of memory: in the first minute, caches and the allocator fill.
LONG_SECONDS = 60.0
WARM_SHARE = 0.4
# What may still be added in all the time after that, however long it is: memories of so many words, schemas, users.
GROWTH_MEGABYTES = 25.0
# Of each tenant; what is kept of a user is kept soon.
USERS = 20
POOL = 4
LEAVERS = 4
CONNECTIONS = "select count(*) from pg_stat_activity where datname = current_database() and usename = $1"

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")


@dataclass(frozen=True, slots=True)
class Measured:
    """What a server has at a moment."""

    at: float
    megabytes: float
    tasks: int
    files: int


class Gauge:
    """Looks at a server from outside; it tells its tasks when it is asked by a signal."""

    def __init__(self, process: Process, tasks: Path) -> None:
        self._process = process
        self._tasks = tasks

    async def look(self) -> Measured:
        """Measure now."""
        self._tasks.unlink(missing_ok=True)
        os.kill(self._process.pid, signal.SIGUSR1)
        await until(lambda: self._tasks.exists() and self._tasks.read_text().endswith("\n"))
        folder = Path(f"/proc/{self._process.pid}")
        pages = int((folder / "statm").read_text().split()[1])
        return Measured(
            time.monotonic(),
            pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
            len(json.loads(self._tasks.read_text())),
            len(list((folder / "fd").iterdir())),
        )

    async def watch(self, seconds: float) -> list[Measured]:
        """Measure 40 times in the next *seconds*."""
        seen = [await self.look()]
        for place in range(1, 41):
            await asyncio.sleep(seen[0].at + place * seconds / 40 - time.monotonic())
            seen.append(await self.look())
        return seen


def growth(seen: list[Measured]) -> tuple[float, float]:
    """Return the megabytes a minute by which memory grew once warm, and what that makes in all the warm time."""
    first, last = seen[0].at, seen[-1].at
    warm = [measured for measured in seen if measured.at >= first + WARM_SHARE * (last - first)]
    slope: float = linregress([one.at for one in warm], [one.megabytes for one in warm]).slope
    return slope * 60, slope * (last - warm[0].at)


class Leavers:
    """Clients that follow streams, some to the end; others go away in the middle, of streams and of calls."""

    def __init__(self, url: str) -> None:
        self.ends: Counter[str] = Counter()
        self._url = f"{url}/v1/tools/analyze_agent_messages/stream"
        self._rng = Random(1)
        self._tokens = Tokens(SECRET)

    @asynccontextmanager
    async def about(self) -> AsyncIterator["Leavers"]:
        """Have them about while the block runs; then all leave."""
        connections = TCPConnector(limit=0)
        async with (
            ClientSession(connector=connections, timeout=ClientTimeout(60)) as session,
            asyncio.TaskGroup() as visitors,
        ):
            tasks = [visitors.create_task(self._visit(session)) for _ in range(LEAVERS)]
            try:
                yield self
            finally:
                for task in tasks:
                    task.cancel()

    async def _visit(self, session: ClientSession) -> None:
        while True:
            patience = self._rng.choice([None, self._rng.uniform(0, 0.1)])
            try:
                async with asyncio.timeout(patience):
                    self.ends[await self._follow(session, self._rng.choice(TENANTS))] += 1
            except TimeoutError:
                self.ends["left"] += 1

    async def _follow(self, session: ClientSession, tenant: Marked) -> str:
        bearer = self._tokens.sign(tenant.tenant, "follower", ["*"], timedelta(hours=1))
        agent = str(tenant.id("agent", self._rng.randrange(AGENTS)))
        headers = {"Authorization": f"Bearer {bearer}"}
        async with session.get(self._url, params={"agent_id": agent}, headers=headers) as response:
            said = (await response.read()).decode()
        last = json.loads(said.strip().rpartition("data: ")[2])
        return str(last["stage"] if response.status == 200 else last)


@pytest.fixture(params=["alone", "redis"])
def redis(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RedisServer | None]:
    """What the server shares with others: nothing, or a Redis."""
    if request.param == "alone":
        yield None
        return
    with running_redis(tmp_path) as server:
        yield server


@pytest.mark.timeout(SECONDS + 150)
async def test_nothing_grows(crm: Crm, nursery: Nursery, redis: RedisServer | None, tmp_path: Path) -> None:
    plan, _ = await filled(crm.owner_url)
    environment = {
        "DATABASE_URL": crm.server_url,
        "DATABASE_POOL_SIZE": str(POOL),
        "JWT_SECRET": SECRET,
        "PORT": "0",
        "RATE_LIMIT_READ": "0",
        "RATE_LIMIT_WRITE": "0",
        "RATE_LIMIT_ANALYSIS": "0",
        "ANALYSIS_CONCURRENCY": "0",
        "CACHE_BYTES": str(2**20),
        "LOG_LEVEL": "warning",
        # A busy machine is no broken Redis.
        **({} if redis is None else {"REDIS_URL": redis.url, "REDIS_TIMEOUT_SECONDS": "5"}),
    }
    log, tasks = tmp_path / "server.log", tmp_path / "tasks"
    process = await started(nursery, log, environment, tasks=tasks)
    try:
        gauge = Gauge(process, tasks)
        async with ClientSession() as session, session.get(f"{process.url}/ready") as response:
            assert response.status == 200
        before = await gauge.look()
        async with constant_load(process.url, plan, users=USERS) as load, Leavers(process.url).about() as leavers:
            seen = await gauge.watch(SECONDS)
        kept = POOL + (0 if redis is None else connections_to(redis))
        after = await settled(gauge, before.tasks, before.files + kept)

        verdict = await judge(crm.owner, load.client.answers)
        slope, grown = growth(seen)
        print(f"{SECONDS:g} s: {load.figures}; {verdict}; streams {dict(leavers.ends)}")
        print(f"memory {before.megabytes:.0f} to {after.megabytes:.0f} MB; once warm {slope:+.2f} MB a minute")
        print(f"tasks {before.tasks} to {after.tasks}, files {before.files} to {after.files}, {kept} of them kept")
        assert after.tasks <= before.tasks, tasks.read_text()
        assert after.files <= before.files + kept
        assert redis is None or redis.command("DBSIZE") != b":0\r\n"
        assert SECONDS < LONG_SECONDS or grown < GROWTH_MEGABYTES
        assert load.figures.failed == {}
        assert (load.figures.foreign, load.figures.wrong) == ([], [])
        assert set(leavers.ends) == {"done", "left"}
        await assert_nothing_in_flight(crm.owner)
        assert await crm.owner.fetchval(CONNECTIONS, urlsplit(crm.server_url).username) <= POOL
        assert (verdict.lost, verdict.doubled) == ({}, {})
        await assert_chain_holds(crm.owner)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        print(log.read_text()[-2000:])


def connections_to(redis: RedisServer) -> int:
    """Return how many the server has: Redis knows it by its name."""
    return redis.command("CLIENT", "LIST").count(b"name=crm-mcp")


async def settled(gauge: Gauge, tasks: int, files: int) -> Measured:
    """Return what is left when all clients are gone: soon no more than so many *tasks* and *files*."""
    for _ in range(200):
        now = await gauge.look()
        if now.tasks <= tasks and now.files <= files:
            return now
        await asyncio.sleep(0.05)
    return now
