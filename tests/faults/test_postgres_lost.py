"""PostgreSQL killed, stopped, crashed, failed over amid load: short refusals, no hang, nothing lost, all well after."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from rpc_server.backends.embedded_postgres import PostgresNotFound
from tests.conftest import SECRET
from tests.faults.breakable import BreakablePostgres, breakable_postgres
from tests.faults.changes import Plan
from tests.faults.load import Load, constant_load
from tests.faults.nursery import Nursery
from tests.faults.readiness import Readiness, watched_readiness
from tests.faults.servers import Process, started
from tests.faults.tenants import filled
from tests.faults.verdict import assert_chain_holds, assert_consistent, assert_nothing_in_flight, judge
from tests.faults.waiting import until

OUTAGES = int(os.environ.get("FAULT_OUTAGES", "1"))
PATIENCE = 0.5
OUTAGE_SECONDS = 1.0
# Of one call: what waits for a silent PostgreSQL, and three times the machine's own slowness.
LONGEST = 20.0
POOL = 4


@pytest.fixture(scope="module")
def postgres() -> Iterator[BreakablePostgres]:
    """One for all tests: each leaves it running."""
    try:
        with breakable_postgres() as postgres:
            yield postgres
    except PostgresNotFound as missing:
        pytest.skip(str(missing))


@dataclass(slots=True)
class Site:
    """A server on a PostgreSQL that breaks."""

    postgres: BreakablePostgres
    owner_url: str
    server: Process
    plan: Plan
    before: dict[str, int]

    @asynccontextmanager
    async def owner(self) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
        """Give a connection; an old one would not have lived through what happens here."""
        connection = await asyncpg.connect(self.owner_url)
        try:
            yield connection
        finally:
            await connection.close()


@pytest.fixture
async def site(postgres: BreakablePostgres, nursery: Nursery, tmp_path: Path) -> AsyncIterator[Site]:
    """Twenty tenants to be read, and one to be changed."""
    database = await postgres.database()
    owner_url = postgres.cluster.owner_url(database)
    plan, before = await filled(owner_url)
    environment = {
        "DATABASE_URL": postgres.cluster.server_url(database),
        "DATABASE_POOL_SIZE": str(POOL),
        "DATABASE_WAIT_SECONDS": str(PATIENCE),
        "JWT_SECRET": SECRET,
        "PORT": "0",
        "CACHE": "off",
        "RATE_LIMIT_WRITE": "0",
        "LOG_LEVEL": "warning",
    }
    output = tmp_path / "server.log"
    server = await started(nursery, output, environment)
    try:
        yield Site(postgres, owner_url, server, plan, before)
    finally:
        await asyncio.to_thread(postgres.revive)
        server.kill()
        print(*(line[:200] for line in output.read_text().splitlines()[-30:]), sep="\n")


async def outages(site: Site, name: str, strike: Callable[[], None], mend: Callable[[], None]) -> Load:
    """Have as many outages as asked for amid load; see that each is told of, and over when it is mended."""
    recoveries = []
    async with watched_readiness(site.server.url) as readiness, constant_load(site.server.url, site.plan) as load:
        for _ in range(OUTAGES):
            await load.some_more()
            strike()
            await until(lambda: readiness.now == 503)
            await asyncio.sleep(OUTAGE_SECONDS)
            await asyncio.to_thread(mend)
            mended = time.monotonic()
            await until(lambda: readiness.now == 200)
            await load.some_more()
            recoveries.append(time.monotonic() - mended)
    await judged(site, load, readiness)
    print(f"{name} {OUTAGES} times: {load.figures}; /ready took {readiness.longest:.2f} s at most; {load.client}")
    print(f"all served again after {max(recoveries):.2f} s")
    return load


async def judged(site: Site, load: Load, readiness: Readiness) -> None:
    """See that calls failed as they should, and that PostgreSQL has what the clients were told."""
    assert set(load.figures.failed) <= {"dependency_unavailable", "deadline_exceeded"}
    assert load.figures.longest < LONGEST
    assert readiness.longest < LONGEST
    assert (load.figures.foreign, load.figures.wrong) == ([], [])
    async with site.owner() as owner:
        await assert_nothing_in_flight(owner)
        connections = "select count(*) from pg_stat_activity where application_name = 'crm-mcp'"
        assert await owner.fetchval(connections) <= POOL
        verdict = await judge(owner, load.client.answers)
        assert (verdict.lost, verdict.doubled) == ({}, {})
        await assert_consistent(owner, load.client.answers, site.before)
        await assert_chain_holds(owner)


async def test_a_postgres_that_is_killed_and_started_again(site: Site) -> None:
    load = await outages(site, "PostgreSQL killed", site.postgres.stop, site.postgres.start)

    assert load.figures.failed["dependency_unavailable"] > 0


async def test_a_postgres_that_is_stopped_and_goes_on(site: Site) -> None:
    load = await outages(site, "PostgreSQL stopped", site.postgres.freeze, site.postgres.thaw)

    assert load.figures.failed["dependency_unavailable"] > 0


async def test_a_postgres_of_which_a_backend_crashes(site: Site) -> None:
    """It ends all connections, recovers and goes on: too short for anything but failed calls."""
    async with watched_readiness(site.server.url) as readiness, constant_load(site.server.url, site.plan) as load:
        for _ in range(OUTAGES):
            await load.some_more()
            async with site.owner() as owner:
                pid = await owner.fetchval("select min(pid) from pg_stat_activity where application_name = 'crm-mcp'")
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            await load.some_more()
        await until(lambda: readiness.now == 200)

    await judged(site, load, readiness)
    print(f"backend crashed {OUTAGES} times: {load.figures}; {load.client}")


async def test_a_postgres_that_comes_back_as_a_standby_and_is_promoted(site: Site) -> None:
    """As after a failover: it is read meanwhile, and changed as soon as it takes changes."""
    async with watched_readiness(site.server.url) as readiness, constant_load(site.server.url, site.plan) as load:
        await load.some_more()
        site.postgres.stop()
        await until(lambda: readiness.now == 503)
        await asyncio.to_thread(site.postgres.start_as_standby)
        await until(lambda: readiness.now == 200)
        refused, made = load.client.troubles["dependency_unavailable"], len(load.client.answers)
        await load.some_more()
        await until(lambda: load.client.troubles["dependency_unavailable"] > refused)
        assert len(load.client.answers) == made
        await site.postgres.promote()
        await until(lambda: len(load.client.answers) > made)
        await load.some_more()

    await judged(site, load, readiness)
    print(f"standby promoted: {load.figures}; {load.client}")
