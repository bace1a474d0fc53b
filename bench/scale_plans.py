"""The plans of what was asked, kept beside the figures."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from rpc_server.backends.postgres import Postgres
from rpc_server.contract.query import Database, Query, Row


class Recording(Postgres):
    """The CRM; it remembers how each query was last asked."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Take what `Postgres` takes."""
        super().__init__(*arguments, **options)
        self.asked: dict[str, tuple[str, Query, dict[str, Any]]] = {}

    @asynccontextmanager
    async def snapshot(  # type: ignore[override]  # calls ask for no more than a Database
        self, tenant_id: str, deadline: Callable[[], float | None]
    ) -> AsyncIterator[Database]:
        """Yield what answers, and remembers."""
        async with super().snapshot(tenant_id, deadline) as database:
            yield _Recorder(database, tenant_id, self.asked)


class _Recorder:
    def __init__(self, database: Database, tenant: str, asked: dict[str, tuple[str, Query, dict[str, Any]]]) -> None:
        self._database = database
        self._tenant = tenant
        self._asked = asked

    async def all(self, query: Query, /, **parameters: Any) -> Sequence[Row]:
        self._asked[query.name] = (self._tenant, query, parameters)
        return await self._database.all(query, **parameters)

    async def first(self, query: Query, /, **parameters: Any) -> Row | None:
        self._asked[query.name] = (self._tenant, query, parameters)
        return await self._database.first(query, **parameters)

    async def release(self) -> None:
        await self._database.release()


async def explained(owner: "asyncpg.Connection[asyncpg.Record]", crm: Recording, title: str) -> dict[str, str]:
    """Return the plan of each query that was asked, with what it took, as the reader gets it; by the file's name."""
    plans = {}
    for name, (tenant, query, parameters) in sorted(crm.asked.items()):
        async with owner.transaction():
            await owner.execute("set local role mcp_reader")
            await owner.execute("select set_config('mcp.tenant_id', $1, true)", tenant)
            rows = await owner.fetch(f"explain (analyze, buffers) {query.text}", *query.bind(parameters))
        plan = "\n".join(row[0] for row in rows)
        plans[f"{name.replace('/', '-')}.{title}.txt"] = f"{query.name} of {tenant}\n\n{plan}\n"
    return plans
