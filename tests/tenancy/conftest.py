"""Fixtures: the server's login without the server, and two tenants with rows."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.conftest import Crm
from tests.tenancy.access import Connection
from tests.tenancy.rows import Marked, fill

A = Marked("tenant-a", 1)
B = Marked("tenant-b", 2, contacts=4)


@pytest.fixture
async def login(crm: Crm) -> AsyncIterator[Connection]:
    """A connection of the server's login to the test's database."""
    connection = await asyncpg.connect(crm.server_url)
    yield connection
    await connection.close()


@pytest.fixture
async def both(crm: Crm) -> Crm:
    """The test's database with the tenants A and B."""
    for tenant in (A, B):
        await fill(crm.owner, tenant, crm.now)
    return crm
