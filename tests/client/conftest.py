"""Clients of the real server, and a server that misbehaves."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from mcp_client import AsyncMCPClient
from tests.client.impostor import Impostor, running_impostor
from tests.conftest import Crm, Server
from tests.database import Cluster, cloned
from tests.tools.office import Office

TOKEN = "a-token-that-nobody-may-see"


@pytest.fixture
async def office(crm: Crm) -> Office:
    """Give a tenant in the database of the test's server."""
    office = Office(crm, "acme")
    await office.open()
    return office


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def empty_url(cluster: Cluster) -> AsyncIterator[str]:
    """Give the address of a database in which nobody has anything, for tools that need none."""
    async with cloned(cluster) as database:
        yield cluster.server_url(database)


@pytest.fixture
async def client(server: Server, office: Office) -> AsyncIterator[AsyncMCPClient]:
    """Give a client of the real server."""
    async with AsyncMCPClient(server.url, server.token(office.tenant)) as client:
        yield client


@pytest.fixture
async def impostor() -> AsyncIterator[Impostor]:
    """Give a server that answers as the test says."""
    async with running_impostor() as impostor:
        yield impostor


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody wait between attempts but where the server asks for it."""
    monkeypatch.setattr("mcp_client.retries._FIRST_PAUSE", 0.001)


@pytest.fixture
async def caller(impostor: Impostor, short_pauses: None) -> AsyncIterator[AsyncMCPClient]:
    """Give a client of it."""
    async with AsyncMCPClient(impostor.url, TOKEN) as client:
        yield client
