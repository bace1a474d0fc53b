"""Offices for the tools that write: each test has a tenant of its own, in a database that all share."""

from collections.abc import AsyncIterator
from itertools import count

import asyncpg
import pytest
import pytest_asyncio

from tests.conftest import Crm
from tests.database import Cluster, cloned
from tests.tools.office import Office

_NUMBERS = count()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def offices(cluster: Cluster) -> AsyncIterator[str]:
    """Give the database in which the offices are."""
    async with cloned(cluster) as database:
        yield database


@pytest.fixture
async def office(cluster: Cluster, offices: str) -> AsyncIterator[Office]:
    """Give a tenant that is open for business."""
    owner = await asyncpg.connect(cluster.owner_url(offices))
    try:
        crm = Crm(cluster, offices, owner)
        async with crm.postgres:
            office = Office(crm, f"acme-{next(_NUMBERS)}")
            await office.open()
            yield office
    finally:
        await owner.close()


@pytest.fixture
async def neighbour(office: Office) -> Office:
    """Give another tenant in the same database, of the same kind."""
    neighbour = Office(office.crm, f"zeta-{next(_NUMBERS)}")
    await neighbour.open()
    return neighbour
