"""The database that everybody is measured on: a PostgreSQL of its own with believable data, kept between runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg

from handlers.demo import DemoPlan
from rpc_server.backends.embedded_postgres import EmbeddedPostgres
from rpc_server.backends.migrations import grant_login, migrate
from rpc_server.commands.demo import load
from rpc_server.settings import ROOT

FOLDER = ROOT / ".data" / "bench"
TENANT = "bench"
# Enough that a plan matters; what many more do to it is bench.scale's question.
_TENANTS = {TENANT: 20_000, **{f"other-{number}": 2_000 for number in range(8)}}
# Midnight in the tenants' time zone.
UNTIL = datetime(2026, 7, 1, 3, tzinfo=UTC)
_LOGIN, _PEER, PEER_PASSWORD = "bench_server", "bench_peer", "of no use elsewhere"
_SETTINGS = {"max_connections": "400", "shared_buffers": "512MB"}
_ORACLE = """
    select count(*)
      from public.contacts
     where tenant_id = $1 and deleted_at is null and created_at >= $2 and created_at < $3
"""


@dataclass(frozen=True, slots=True)
class Question:
    """What everybody is asked: the leads of so many days, and of as many before them; *leads* is what SQL says."""

    days: int
    leads: int = 0

    @property
    def arguments(self) -> dict[str, str]:
        """Return it as our tool takes it, in the tenant's days."""
        last = (UNTIL - timedelta(days=1)).date()
        return {
            "period": "custom",
            "start_date": str(last - timedelta(days=self.days - 1)),
            "end_date": str(last),
        }

    @property
    def moments(self) -> tuple[str, str, str, str]:
        """Return start and end of the period and of the one before."""
        start = UNTIL - timedelta(days=self.days)
        before = start - timedelta(days=self.days)
        return start.isoformat(), UNTIL.isoformat(), before.isoformat(), start.isoformat()


@dataclass(frozen=True, slots=True)
class Stand:
    """Where the database is for the server, and for its peers, who see TENANT only; what is asked of it."""

    url: str
    peer_url: str
    socket: str
    process: int
    version: str
    questions: tuple[Question, ...]
    peer_login: str = _PEER


@asynccontextmanager
async def standing(*days: int) -> AsyncIterator[Stand]:
    """Start the database, fill it the first time, and yield it with a question for each of *days*."""
    server = await asyncio.to_thread(EmbeddedPostgres.start, FOLDER / "postgres", settings=_SETTINGS)
    try:
        owner = await asyncpg.connect(server.url())
        try:
            await _fill(owner)
            questions = tuple([await _question(owner, number) for number in days])
            version = await owner.fetchval("show server_version")
        finally:
            await owner.close()
        process = int((server.data_dir / "postmaster.pid").read_text().splitlines()[0])
        url, peer_url = server.url(user=_LOGIN), server.url(user=_PEER)
        yield Stand(url, peer_url, str(server.socket_dir), process, version, questions)
    finally:
        await asyncio.to_thread(server.stop)


async def _question(owner: "asyncpg.Connection[asyncpg.Record]", days: int) -> Question:
    return Question(days, await owner.fetchval(_ORACLE, TENANT, UNTIL - timedelta(days=days), UNTIL))


async def _fill(owner: "asyncpg.Connection[asyncpg.Record]") -> None:
    for login in (_LOGIN, _PEER):
        if not await owner.fetchval("select exists (select from pg_roles where rolname = $1)", login):
            await owner.execute(f"create role {login} login password '{PEER_PASSWORD}'")
    await migrate(owner, ROOT / "sql" / "crm")
    await grant_login(owner, _LOGIN)
    # Peers have nothing that sets a tenant for each call: their login is one tenant's, and reads its views at once.
    await owner.execute(f"grant mcp_reader to {_PEER}; alter role {_PEER} set mcp.tenant_id = '{TENANT}'")
    filled = {row[0] for row in await owner.fetch("select distinct tenant_id from public.projects")}
    for number, (tenant, contacts) in enumerate(_TENANTS.items()):
        if tenant not in filled:
            print(f"Filling the tenant {tenant} …", flush=True)
            plan = DemoPlan(tenant_id=tenant, contacts=contacts, seed=number, until=UNTIL)
            await load(owner, plan, lambda done: None)
    if set(_TENANTS) - filled:
        await owner.execute("vacuum analyze")
