"""PostgreSQL soon knows a tenant that was imported; else its facts take longer than anybody waits."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from handlers.demo import TABLES, DemoPlan
from rpc_server.backends.embedded_postgres import EmbeddedPostgres
from rpc_server.backends.migrations import migrate
from rpc_server.commands import demo
from rpc_server.settings import ROOT
from tests.database import FAST

# Of itself it would wait until a table is a hundred times as large.
SETTINGS = {**FAST, "autovacuum_naptime": "1s", "autovacuum_analyze_scale_factor": "100"}
SMALL = 2_500
UNKNOWN = """
select relid::regclass::text
  from pg_stat_user_tables
 where relid = any ($1::text[]::regclass[])
   and n_live_tup > $2
   and last_autoanalyze is null
"""


async def test_statistics_are_made_anew_when_few_of_many_rows_have_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    until = datetime(2026, 7, 1, tzinfo=UTC)
    old, new = (DemoPlan(tenant_id=name, contacts=n, seed=n, until=until) for name, n in (("old", 300), ("new", 4_000)))
    with EmbeddedPostgres.start(tmp_path / "postgres", settings=SETTINGS) as server:
        owner = await asyncpg.connect(server.url())
        await migrate(owner, ROOT / "sql" / "crm")
        await demo.load(owner, old, lambda done: None)
        monkeypatch.setattr(demo, "_ANALYZE_ROUGHLY", "select")
        monkeypatch.setattr(demo, "_MAKE_FACTS", "select $1::text, $2::uuid[]")
        await demo.load_rows(owner, new, lambda done: None)
        large = [table for table in TABLES if await owner.fetchval(f"select count(*) from {table}") > SMALL]
        assert {"public.contacts", "public.sessions", "public.messages"} < set(large)
        async with asyncio.timeout(60):
            while await owner.fetch(UNKNOWN, large, SMALL):  # noqa: ASYNC110 - only the database knows
                await asyncio.sleep(0.2)
        await owner.close()
