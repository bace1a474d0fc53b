"""A stand to test on: servers behind a front, a proxy before PostgreSQL, and a client that does not give up."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, urlsplit

import asyncpg
import pytest

from handlers.demo import DemoPlan
from rpc_server.commands.demo import load
from tests.conftest import SECRET, Crm
from tests.database import Cluster
from tests.faults.changes import TENANT, Plan
from tests.faults.client import Client, connected
from tests.faults.front import Front
from tests.faults.nursery import Nursery, open_nursery
from tests.faults.proxy import Proxy
from tests.faults.servers import Servers, running_servers
from tests.faults.trap import Moment, Stop, Strike, Trap
from tests.faults.verdict import (
    assert_chain_holds,
    assert_consistent,
    assert_nothing_in_flight,
    judge,
    versions,
)

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "2"))
RANDOM_STRIKES = int(os.environ.get("FAULT_RANDOM_STRIKES", "10"))

_TERMINATE = """
    select array_agg(pid) filter (where pg_terminate_backend(pid))
      from pg_stat_activity
     where datname = current_database() and application_name = 'crm-mcp' and pid = coalesce($1, pid)
"""
_LIVE = "select count(*) from pg_stat_activity where pid = any ($1::integer[])"


@dataclass(frozen=True, slots=True)
class Weapon:
    """What strikes, and how it is told of; *kills*: the server, else only its way to PostgreSQL."""

    name: str
    strike: Strike
    kills: bool


@dataclass(slots=True)
class Stand:
    """Everything that a test of faults needs."""

    owner: "asyncpg.Connection[asyncpg.Record]"
    proxy: Proxy
    front: Front
    servers: Servers
    client: Client
    plan: Plan
    before: dict[str, int]

    def arm(self, stop: Stop, weapon: Weapon) -> Trap:
        """Have *weapon* strike when *stop* comes."""
        trap = Trap(stop, weapon.strike, cuts=weapon.kills)
        if stop.moment is Moment.REPLIED:
            self.front.trap = trap
        else:
            self.proxy.trap = trap
        return trap

    async def assert_all_made_once(self, story: str) -> None:
        """See that the database has what the client was told of, and is in order; print the figures of *story*."""
        await assert_nothing_in_flight(self.owner)
        verdict = await judge(self.owner, self.client.answers)
        print(f"{story}: {verdict}; {self.client}")
        assert (verdict.lost, verdict.doubled) == ({}, {})
        await assert_consistent(self.owner, self.client.answers, self.before)
        await assert_chain_holds(self.owner)


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """What forks servers, for all tests: its imports take a second."""
    with open_nursery() as nursery:
        yield nursery


@pytest.fixture
async def proxy(cluster: Cluster) -> AsyncIterator[Proxy]:
    """A proxy in a folder whose path fits into the address of a socket."""
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp") as folder:
        async with Proxy(Path(folder), cluster.admin_url).listening() as proxy:
            yield proxy


@pytest.fixture
async def servers(crm: Crm, proxy: Proxy, nursery: Nursery, tmp_path: Path) -> AsyncIterator[Servers]:
    """Servers whose way to PostgreSQL is the proxy."""
    parts = urlsplit(crm.server_url)
    login, _, _ = parts.netloc.rpartition("@")
    environment = {
        "DATABASE_URL": f"postgresql://{login}@{parts.path}?host={quote(str(proxy.folder), safe='')}&port=5432",
        "JWT_SECRET": SECRET,
        "PORT": "0",
        "LOG_LEVEL": "error",
        "RATE_LIMIT_READ": "0",
        "RATE_LIMIT_WRITE": "0",
    }
    async with running_servers(nursery, tmp_path, environment) as servers:
        yield servers
        print(*servers.errors(), sep="\n")


@pytest.fixture
async def front(servers: Servers) -> AsyncIterator[Front]:
    """The address at which there is always a server, or soon again."""
    async with Front(lambda: servers.port).listening() as front:
        yield front


@pytest.fixture
async def stand(crm: Crm, proxy: Proxy, servers: Servers, front: Front) -> AsyncIterator[Stand]:
    """A tenant of 200 contacts, of which 12 take part."""
    now = datetime.now(UTC).replace(microsecond=0)
    await load(crm.owner, DemoPlan(TENANT, 200, seed=3, until=now), lambda done: None)
    plan = await Plan(seed=1).load(crm.owner, contacts=12)
    async with connected(front.url) as client:
        yield Stand(crm.owner, proxy, front, servers, client, plan, await versions(crm.owner))


@pytest.fixture
def sigkill(servers: Servers, front: Front) -> Weapon:
    """The server process is killed."""

    def strike(pid: int | None) -> "asyncio.Future[None]":
        servers.kill()
        front.cut()
        return over()

    return Weapon("server killed", strike, kills=True)


@pytest.fixture
def cut(proxy: Proxy) -> Weapon:
    """The network between the server and PostgreSQL fails."""

    def strike(pid: int | None) -> "asyncio.Future[None]":
        proxy.cut()
        return over()

    return Weapon("connections cut", strike, kills=False)


def over() -> "asyncio.Future[None]":
    """Return what has happened already."""
    happened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    happened.set_result(None)
    return happened


@pytest.fixture
async def terminate(crm: Crm) -> AsyncIterator[Weapon]:
    """Backends of the server's connections are terminated, and have ended when the strike is over."""
    killer = await asyncpg.connect(crm.owner_url)

    async def end(pid: int | None) -> None:
        terminated = await killer.fetchval(_TERMINATE, pid)
        while True:
            if not await killer.fetchval(_LIVE, terminated):
                break
            await asyncio.sleep(0.001)

    yield Weapon("backends terminated", lambda pid: asyncio.ensure_future(end(pid)), kills=False)
    await killer.close()
