"""Ventros databases: one as the CRM made it, and one that was adopted and takes rows in the shape of our own tables."""

from pathlib import Path

import asyncpg

from rpc_server.backends.migrations import grant_login, migrate
from rpc_server.settings import ROOT
from tests.database import Cluster, template_of

SOURCE = ROOT / "sql" / "adopt" / "ventros"
FOLDER = Path(__file__).parent
VENTROS = (FOLDER / "ventros.sql").read_text(encoding="utf-8")
LOADING = (FOLDER / "loading.sql").read_text(encoding="utf-8")
# Sources of databases for tests: not adopted yet; adopted, and fit for loading.
RAW, ADOPTED = "ventros_raw", "ventros"


def crm_role(cluster: Cluster) -> str:
    """Return the role that owns the CRM's tables: a plain one."""
    return f"ventros_{cluster.login.rpartition('_')[2]}"


async def prepare(cluster: Cluster) -> None:
    """Make both templates."""
    role, raw, adopted = crm_role(cluster), template_of(cluster, RAW), template_of(cluster, ADOPTED)
    admin = await asyncpg.connect(cluster.admin_url)
    try:
        await admin.execute(f"create role {role}")
        if not await admin.fetchval("select exists (select from pg_roles where rolname = 'app_user')"):
            await admin.execute("create role app_user")
        await admin.execute(f"create database {raw} owner {role} encoding 'UTF8' template template0")
        await execute(cluster.owner_url(raw), f"set role {role}", VENTROS)
        await admin.execute(f"create database {adopted} owner {role} template {raw}")
    finally:
        await admin.close()
    connection = await asyncpg.connect(cluster.owner_url(adopted))
    try:
        await migrate(connection, SOURCE)
        await grant_login(connection, cluster.login)
        await connection.execute(LOADING)
        await connection.execute("vacuum analyze")
    finally:
        await connection.close()


async def tear_down(cluster: Cluster) -> None:
    """Remove both templates and the role."""
    for source in (RAW, ADOPTED):
        await execute(cluster.admin_url, f"drop database {template_of(cluster, source)} (force)")
    await execute(cluster.admin_url, f"drop role {crm_role(cluster)}")


async def execute(url: str, *statements: str) -> None:
    """Run statements one after the other on a connection of their own."""
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()
