"""Twenty tenants to be read, each row marked, and one to be changed; and a way to make their readers wait."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg

from handlers.demo import DemoPlan
from rpc_server.commands.demo import load
from tests.faults.changes import TENANT, TOOLS, Plan
from tests.faults.verdict import versions
from tests.tenancy.crowd import TENANTS
from tests.tenancy.rows import fill


async def filled(owner_url: str, *, changes: Sequence[str] = TOOLS) -> tuple[Plan, dict[str, int]]:
    """Load the tenants; return *changes* to be made of one of them, and the versions of its contacts before."""
    now = datetime.now(UTC).replace(microsecond=0)
    owner = await asyncpg.connect(owner_url)
    try:
        async with owner.transaction():
            for tenant in TENANTS:
                await fill(owner, tenant, now)
        await load(owner, DemoPlan(TENANT, 200, seed=3, until=now), lambda done: None)
        await owner.execute("analyze")
        return await Plan(seed=1, tools=changes).load(owner, contacts=12), await versions(owner)
    finally:
        await owner.close()


@asynccontextmanager
async def held(owner_url: str, *tables: str) -> AsyncIterator[None]:
    """Have every call that needs one of the *tables* wait until the block ends."""
    holder = await asyncpg.connect(owner_url)
    try:
        async with holder.transaction():
            await holder.execute(f"lock table {', '.join(tables)} in access exclusive mode")
            yield
    finally:
        await holder.close()
