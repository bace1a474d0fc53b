"""A database of a million contacts or more, of many tenants and a giant one; kept between runs."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import asyncpg

from handlers.demo import DemoPlan
from rpc_server.backends.embedded_postgres import EmbeddedPostgres
from rpc_server.backends.migrations import grant_login, migrate
from rpc_server.commands.demo import load_rows, progress_bar
from rpc_server.settings import ROOT

GIANT = "giant"
# Midnight in the tenants' time zone.
UNTIL = datetime(2026, 7, 1, 3, tzinfo=UTC)
_GIANT_SHARE = 0.2
# Measured: messages are most of it, and their indexes as large as they are.
_BYTES_A_CONTACT = 13_500
_MARKS_AT_A_TIME = 2_000
_LOGIN = "bench_server"
_SETTINGS = {
    "shared_buffers": "1GB",
    "effective_cache_size": "8GB",
    "maintenance_work_mem": "512MB",
    "max_wal_size": "4GB",
    # A fill that is cut short begins anew with the tenant that it was at.
    "synchronous_commit": "off",
}


@dataclass(frozen=True, slots=True)
class Size:
    """So many contacts: a fifth of them the giant's, unless told, the others in equal parts."""

    contacts: int
    tenants: int
    giant: int | None = None

    @property
    def name(self) -> str:
        """Return what it is called among results and folders."""
        return f"scale-{self.contacts}-{self.tenants}" + ("" if self.giant is None else f"-giant-{self.giant}")

    def plans(self) -> list[DemoPlan]:
        """Return what is to be filled, the giant first."""
        giants = round(self.contacts * _GIANT_SHARE) if self.giant is None else self.giant
        each = (self.contacts - giants) // self.tenants
        names = {GIANT: giants, **{f"tenant-{number}": each for number in range(self.tenants)}}
        return [
            DemoPlan(tenant_id=name, contacts=contacts, seed=seed, until=UNTIL)
            for seed, (name, contacts) in enumerate(names.items())
        ]


@dataclass(frozen=True, slots=True)
class Stand:
    """Where the database is, for its owner and for the server."""

    owner_url: str
    url: str
    gigabytes: float


@asynccontextmanager
async def standing(size: Size) -> AsyncIterator[Stand]:
    """Start the database, fill what is missing, and yield it; raises SystemExit where the disk is too small."""
    folder = ROOT / ".data" / size.name
    folder.mkdir(parents=True, exist_ok=True)
    server = await asyncio.to_thread(EmbeddedPostgres.start, folder / "postgres", settings=_SETTINGS)
    try:
        owner = await asyncpg.connect(server.url())
        try:
            await _fill(owner, size)
            gigabytes = await owner.fetchval("select pg_database_size(current_database())") / 1e9
        finally:
            await owner.close()
        yield Stand(server.url(), server.url(user=_LOGIN), gigabytes)
    finally:
        await asyncio.to_thread(server.stop)


async def _fill(owner: "asyncpg.Connection[asyncpg.Record]", size: Size) -> None:
    if not await owner.fetchval("select exists (select from pg_roles where rolname = $1)", _LOGIN):
        await owner.execute(f"create role {_LOGIN} login")
    await migrate(owner, ROOT / "sql" / "crm")
    await grant_login(owner, _LOGIN)
    filled = {row[0] for row in await owner.fetch("select distinct tenant_id from public.projects")}
    missing = [plan for plan in size.plans() if plan.tenant_id not in filled]
    if missing:
        await _load(owner, size, missing)
    is_marked = await owner.fetchval("select exists (select from mcp_store.fact_marks)")
    if is_marked:
        print("Making facts …", flush=True)
        await _make_facts(owner)
    if missing or is_marked:
        print("Vacuuming and analyzing …", flush=True)
        await owner.execute("vacuum analyze")


async def _make_facts(owner: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Make the facts of all that is marked, such as by a migration that gives them another form."""
    # Without statistics, this takes longer than anybody waits.
    await owner.execute("analyze")
    taken = 1
    while taken:
        async with owner.transaction():
            await owner.execute("set local role mcp_owner")
            taken = await owner.fetchval("select mcp.refresh_facts($1)", _MARKS_AT_A_TIME) or 0


async def _load(owner: "asyncpg.Connection[asyncpg.Record]", size: Size, missing: list[DemoPlan]) -> None:
    contacts = sum(plan.contacts for plan in missing)
    needed, free = contacts * _BYTES_A_CONTACT, shutil.disk_usage(ROOT).free
    if needed > free:
        raise SystemExit(
            f"{contacts:,} contacts need about {needed / 1e9:.0f} GB; {free / 1e9:.0f} GB are free. Ask for fewer."
        )
    with progress_bar() as bar:
        task = bar.add_task(size.name, total=contacts)
        for plan in missing:
            await load_rows(owner, plan, lambda done: bar.advance(task, done))
