"""What the clients play on: a database with believable data, two server processes, and a proxy before them."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
from aiohttp import ClientError, ClientSession

from handlers.demo import DemoPlan
from rpc_server.backends.tokens import Tokens
from rpc_server.commands.demo import load
from rpc_server.settings import ROOT
from tests.database import cloned, prepare, running_postgres, tear_down
from tests.round_robin import RoundRobin, taking_turns

TENANT = "demo"
CONTACTS = 400
# What the servers are called by the proxy, which they take because ALLOWED_HOSTS has it.
INNER_HOST = "crm.internal"
_SECRETS = {
    "JWT_SECRET": "signs the tokens of the clients that are tried",
    "SESSION_SECRET": "seals the sessions of the clients that are tried",
}
_START_SECONDS = 60

_LEADS = "select count(*) from public.contacts where tenant_id = $1 and deleted_at is null"
_UNDECIDED = """
    select c.id::text
      from public.contacts c
     where c.tenant_id = $1
       and c.deleted_at is null
       and not exists (select from mcp_store.qualifications q where q.contact_id = c.id)
     order by c.id
"""
_BUSIEST_AGENT = """
    select a.id::text
      from public.agents a
      join public.messages m on m.agent_id = a.id
     where a.tenant_id = $1 and a.type = 'human'
     group by a.id
     order by count(*) desc, a.id
     limit 1
"""


@dataclass(frozen=True, slots=True)
class Facts:
    """What SQL says of the tenant, asked without the server."""

    leads: int
    undecided: list[str]
    agent: str


@dataclass(frozen=True, slots=True)
class Stage:
    """The ways to the servers, what is true, and what the servers log."""

    direct: str
    proxy: RoundRobin
    facts: Facts
    logs: list[Path]

    def token(self, user: str, permissions: list[str]) -> str:
        """Return a token for a user of the tenant."""
        return Tokens(_SECRETS["JWT_SECRET"]).sign(TENANT, user, permissions, timedelta(hours=1))

    def complaints(self) -> list[str]:
        """Return what the servers have logged as errors."""
        lines = [line for log in self.logs for line in _read(log).splitlines()]
        return [line for line in lines if '"level":"error"' in line or "Traceback" in line]


@asynccontextmanager
async def staged(folder: Path) -> AsyncIterator[Stage]:
    """Set everything up in *folder*, and leave nothing running."""
    with running_postgres(folder, os.environ.get("TEST_DATABASE_URL")) as admin_url:
        cluster = await prepare(admin_url)
        try:
            async with cloned(cluster) as database, AsyncExitStack() as stack:
                facts = await _filled(cluster.owner_url(database))
                ports = _free_ports(3)
                public_url = f"http://127.0.0.1:{ports[0]}"
                logs = [folder / f"server-{port}.log" for port in ports[1:]]
                servers = [
                    await stack.enter_async_context(_server(port, cluster.server_url(database), public_url, log))
                    for port, log in zip(ports[1:], logs, strict=True)
                ]
                proxy = await stack.enter_async_context(taking_turns(servers, host=INNER_HOST, port=ports[0]))
                yield Stage(servers[0], proxy, facts, logs)
        finally:
            await tear_down(cluster)


async def _filled(owner_url: str) -> Facts:
    owner = await asyncpg.connect(owner_url)
    try:
        until = datetime.now(UTC).replace(microsecond=0)
        await load(owner, DemoPlan(tenant_id=TENANT, contacts=CONTACTS, seed=1, until=until), lambda done: None)
        undecided = [row[0] for row in await owner.fetch(_UNDECIDED, TENANT)]
        return Facts(await owner.fetchval(_LEADS, TENANT), undecided, str(await owner.fetchval(_BUSIEST_AGENT, TENANT)))
    finally:
        await owner.close()


@asynccontextmanager
async def _server(port: int, database_url: str, public_url: str, log: Path) -> AsyncIterator[str]:
    """Run a server process and yield its address once it is ready."""
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "DATABASE_URL": database_url,
        "PUBLIC_URL": public_url,
        "ALLOWED_HOSTS": INNER_HOST,
        "LOG_FORMAT": "json",
        # Replicas without Redis must not remember answers, each for itself.
        "CACHE": "off",
        **_SECRETS,
    }
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "rpc_server", "serve", "--port", str(port)),
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=output,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        async with asyncio.timeout(_START_SECONDS):
            while not await _is_ready(address):
                if process.returncode is not None:
                    raise SystemExit(f"A server could not start:\n{_read(log)}")
                await asyncio.sleep(0.05)
        yield address
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _read(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")


async def _is_ready(address: str) -> bool:
    try:
        async with ClientSession() as session, session.get(f"{address}/ready") as response:
            return response.status == 200
    except ClientError:
        return False


def _free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on; the servers' addresses must be known before they start."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
