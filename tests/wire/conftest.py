"""One server and one tenant's data for all tests of this folder: what they do changes nothing."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Protocol

import asyncpg
import pytest
import pytest_asyncio
import structlog
from aiohttp import ClientSession, web
from pydantic import SecretStr

from handlers import CATALOG
from handlers.demo import DemoPlan
from rpc_server.app import make_app
from rpc_server.commands.demo import load
from rpc_server.contract.tool import Catalog
from rpc_server.settings import Settings
from rpc_server.transport.server import Runner
from tests.conftest import SECRET, UNLIMITED, Server
from tests.database import Cluster, cloned
from tests.wire.client import Client

NOW = datetime(2026, 11, 18, 15, 0, tzinfo=UTC)


class Serving(Protocol):
    """Starts a server of a test's own."""

    def __call__(self, *, tools: Catalog = CATALOG, **changed: Any) -> AbstractAsyncContextManager[Client]: ...


@pytest.fixture(scope="session", autouse=True)
def plain_logs() -> Iterator[None]:
    """Lines without colours, and tracebacks without variables: drawing those takes a second each."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ]
    )
    yield
    structlog.reset_defaults()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def demo_url(cluster: Cluster) -> AsyncIterator[str]:
    """The server's address of a database in which the tenant "demo" has believable data."""
    async with cloned(cluster) as database:
        owner = await asyncpg.connect(cluster.owner_url(database))
        try:
            await load(owner, DemoPlan(tenant_id="demo", contacts=60, seed=1, until=NOW), lambda done: None)
        finally:
            await owner.close()
        yield cluster.server_url(database)


@pytest.fixture(scope="session")
def serving(demo_url: str) -> Serving:
    """Start a server on the demo data; keyword arguments are settings."""

    @asynccontextmanager
    async def start(*, tools: Catalog = CATALOG, **changed: Any) -> AsyncIterator[Client]:
        values = {"database_url": SecretStr(demo_url), "jwt_secret": SecretStr(SECRET), **UNLIMITED, **changed}
        runner = Runner(make_app(Settings(**values), tools=tools, clock=lambda: NOW), access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            async with ClientSession() as session:
                yield Client(Server(f"http://127.0.0.1:{runner.addresses[0][1]}", session))
        finally:
            await runner.cleanup()

    return start


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def client(serving: Serving) -> AsyncIterator[Client]:
    """A client of the server that all share."""
    async with serving() as client:
        yield client
