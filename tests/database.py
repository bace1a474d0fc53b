"""A real PostgreSQL for the tests: one server, one migrated template, a clone of it for each test."""

import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from rpc_server.backends.embedded_postgres import EmbeddedPostgres
from rpc_server.backends.migrations import grant_login, migrate
from rpc_server.settings import ROOT

# Durability is for data that somebody wants tomorrow.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}


@dataclass(frozen=True, slots=True)
class Cluster:
    """A PostgreSQL server: the address of its superuser and a login that may only take the server's roles."""

    admin_url: str
    login: str
    password: str

    def owner_url(self, database: str) -> str:
        """Return the address of *database* for whoever migrates."""
        return urlunsplit(urlsplit(self.admin_url)._replace(path=f"/{database}"))

    def server_url(self, database: str) -> str:
        """Return the address of *database* for the server."""
        parts = urlsplit(self.admin_url)
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{self.login}:{self.password}@{host}", path=f"/{database}"))


@contextmanager
def running_postgres(folder: Path, given_url: str | None) -> Iterator[str]:
    """Yield the superuser's address of *given_url*, or else of an embedded server in *folder*."""
    if given_url:
        yield given_url
        return
    with EmbeddedPostgres.start(folder / "postgres", settings=FAST) as server:
        yield server.url()


async def prepare(admin_url: str) -> Cluster:
    """Make the login and the migrated template database; names are fresh, so that runs can share a server."""
    cluster = Cluster(admin_url, f"mcp_test_{secrets.token_hex(4)}", secrets.token_hex(16))
    admin = await asyncpg.connect(admin_url)
    try:
        await admin.execute(f"create role {cluster.login} login password '{cluster.password}'")
        await admin.execute(f"drop database if exists {template_of(cluster)} (force)")
        await admin.execute(f"create database {template_of(cluster)} encoding 'UTF8' template template0")
    finally:
        await admin.close()
    owner = await asyncpg.connect(cluster.owner_url(template_of(cluster)))
    try:
        await migrate(owner, ROOT / "sql" / "crm")
        await grant_login(owner, cluster.login)
        # Never analyzed tables are planned by guesses; autovacuum must not decide what tests see.
        await owner.execute("vacuum analyze")
    finally:
        await owner.close()
    return cluster


async def lacks(connection: "asyncpg.Connection[asyncpg.Record]", table: str) -> bool:
    """Tell whether a table is one that another CRM has not: nothing can be loaded into it."""
    return table == "public.session_ratings" and not await connection.fetchval("select to_regclass($1)", table)


async def settle(connection: "asyncpg.Connection[asyncpg.Record]", most: int = 1000) -> None:
    """Make all facts that are marked; another CRM's database has none."""
    if not await connection.fetchval("select to_regprocedure('mcp.refresh_facts(integer)') is null"):
        while await connection.fetchval("select mcp.refresh_facts($1)", most):
            pass


def template_of(cluster: Cluster, source: str = "crm") -> str:
    """Return the name of the template database of a source of views."""
    return f"{source}_template_{cluster.login.rpartition('_')[2]}"


async def tear_down(cluster: Cluster) -> None:
    """Remove the template and the login, for the next run on a server that stays."""
    admin = await asyncpg.connect(cluster.admin_url)
    try:
        await admin.execute(f"drop database {template_of(cluster)} (force)")
        await admin.execute(f"drop role {cluster.login}")
    finally:
        await admin.close()


@asynccontextmanager
async def cloned(cluster: Cluster, source: str = "crm") -> AsyncIterator[str]:
    """Yield the name of a fresh clone of the template of *source*."""
    name = f"crm_test_{secrets.token_hex(6)}"
    admin = await asyncpg.connect(cluster.admin_url)
    try:
        await admin.execute(f"create database {name} template {template_of(cluster, source)}")
        try:
            yield name
        finally:
            await admin.execute(f"drop database {name} (force)")
    finally:
        await admin.close()
