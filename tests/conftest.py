"""Fixtures: a cluster for the whole run, and for each test a database, a CRM to call, a server to talk to."""

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import hypothesis
import orjson
import pytest
from aiohttp import ClientSession, web
from pydantic import SecretStr

from handlers import CATALOG
from rpc_server.app import LAYERS, make_app
from rpc_server.backends.postgres import Postgres
from rpc_server.backends.tokens import Tokens
from rpc_server.calls.call import Calls
from rpc_server.contract.caller import Caller
from rpc_server.contract.result import Result
from rpc_server.contract.tool import Catalog
from rpc_server.settings import Settings
from rpc_server.transport.server import Runner
from tests.database import Cluster, cloned, prepare, running_postgres, tear_down
from tests.secrecy import leaks

# A busy machine is no fault of the code: nothing here is judged by time.
hypothesis.settings.register_profile("patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("patient")

SECRET = "a secret for tests only, of more than 32 bytes"

# Tests call more often than users may; those of the limits set them themselves.
UNLIMITED: dict[str, Any] = {
    "rate_limit_read": 0,
    "rate_limit_write": 0,
    "rate_limit_analysis": 0,
    "analysis_concurrency": 0,
}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail each test in whose output, which has the servers' logs, something secret stands."""
    report = yield
    if report.passed and (found := leaks("\n".join(text for _, text in report.sections), SECRET)):
        report.outcome = "failed"
        report.longrepr = f"What the test printed or logged holds {' and '.join(found)}."
    return report


@pytest.fixture(scope="session", autouse=True)
def results_as_pydantic_writes_them() -> Iterator[None]:
    """Hold each result that is written by a server in this process against what pydantic makes of it."""
    written = Result.as_json

    def held(result: Result) -> bytes:
        body = written(result)
        assert body == result.__pydantic_serializer__.to_json(result)
        return body

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Result, "as_json", held)
        yield


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A PostgreSQL server: TEST_DATABASE_URL (a superuser's), else an embedded one."""
    with running_postgres(tmp_path_factory.mktemp("cluster"), os.environ.get("TEST_DATABASE_URL")) as url:
        prepared = asyncio.run(prepare(url))
        yield prepared
        asyncio.run(tear_down(prepared))


class Crm:
    """A database of the test's own, and the tools on it with all layers, without HTTP."""

    def __init__(self, cluster: Cluster, database: str, owner: "asyncpg.Connection[asyncpg.Record]") -> None:
        self.server_url = cluster.server_url(database)
        self.owner_url = cluster.owner_url(database)
        self.owner = owner
        self.postgres = Postgres(self.server_url, size=5, acquire_seconds=5)
        self.now = datetime.now(UTC)

    async def call(
        self,
        name: str,
        arguments: Any,
        *,
        tenant: str,
        now: datetime | None = None,
        permissions: Sequence[str] = ("*",),
        user: str = "tester",
    ) -> dict[str, Any]:
        """Return the structured result of a call; its error is raised."""
        caller = Caller(tenant, user, frozenset(permissions))
        async with Calls(CATALOG, LAYERS, self.postgres, lambda: now or self.now) as calls:
            outcome = await calls.run(name, arguments, caller, "test")
        if outcome.error is not None:
            raise outcome.error
        assert outcome.result is not None
        assert outcome.result.text()
        result: dict[str, Any] = orjson.loads(outcome.result.as_json())
        return result


@pytest.fixture
def source() -> str:
    """The source of the views in the test's database; tests/adopt has another."""
    return "crm"


@pytest.fixture
async def crm(cluster: Cluster, source: str) -> AsyncIterator[Crm]:
    """A fresh clone of the migrated template of *source*, with nobody's data in it."""
    async with cloned(cluster, source) as database:
        owner = await asyncpg.connect(cluster.owner_url(database))
        try:
            crm = Crm(cluster, database, owner)
            async with crm.postgres:
                yield crm
        finally:
            await owner.close()


class Server:
    """The real application on a free port, and a client that bears a token."""

    def __init__(self, url: str, session: ClientSession) -> None:
        self.url = url
        self.session = session

    def token(self, tenant: str = "tenant-a", permissions: Sequence[str] = ("*",), user: str = "tester") -> str:
        """Return a token for *tenant*."""
        return Tokens(SECRET).sign(tenant, user, list(permissions), timedelta(minutes=5))

    def bearer(
        self, tenant: str = "tenant-a", permissions: Sequence[str] = ("*",), user: str = "tester"
    ) -> dict[str, str]:
        """Return the header that bears a token for *tenant*."""
        return {"Authorization": f"Bearer {self.token(tenant, permissions, user)}"}

    async def rpc(self, body: Any, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        """POST to /rpc and return status and JSON; *body* may be bytes as they are to be sent."""
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        async with self.session.post(f"{self.url}/rpc", data=data, headers=headers or self.bearer()) as response:
            answer = await response.read()
            return response.status, orjson.loads(answer) if answer else None

    async def execute(self, name: str, arguments: Any, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        """POST to /v1/tools/execute and return status and JSON."""
        body = orjson.dumps({"tool_name": name, "arguments": arguments})
        url = f"{self.url}/v1/tools/execute"
        async with self.session.post(url, data=body, headers=headers or self.bearer()) as response:
            return response.status, orjson.loads(await response.read())


StartServer = Callable[..., Awaitable[Server]]


@pytest.fixture
async def start_server(crm: Crm) -> AsyncIterator[StartServer]:
    """Start servers on the test's database; keyword arguments are settings, or the tools."""
    runners: list[Runner] = []
    sessions: list[ClientSession] = []

    async def start(tools: Catalog = CATALOG, **changed: Any) -> Server:
        values: dict[str, Any] = {
            "database_url": SecretStr(crm.server_url),
            "jwt_secret": SecretStr(SECRET),
            "log_level": "error",
            "cache": "off",  # tests change the database behind the server's back
            **UNLIMITED,
            **changed,
        }
        settings = Settings(**values)
        runner = Runner(make_app(settings, tools=tools, clock=lambda: crm.now), keepalive_timeout=60)
        await runner.setup()
        runners.append(runner)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        sessions.append(ClientSession())
        return Server(f"http://127.0.0.1:{runner.addresses[0][1]}", sessions[-1])

    yield start
    for session in sessions:
        await session.close()
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
async def server(start_server: StartServer) -> Server:
    """A server with the usual settings."""
    return await start_server()


@pytest.fixture
def garbage() -> Iterator[list[Any]]:
    """All that only the garbage collector finds, while nothing is collected."""
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield gc.garbage
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
