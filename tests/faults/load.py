"""Constant load: reads of twenty tenants, each answer judged, and changes whose every trace is known."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from random import Random
from typing import Any

import orjson
from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

from rpc_server.backends.tokens import Tokens
from tests.conftest import SECRET
from tests.faults.changes import Plan
from tests.faults.client import Client
from tests.tenancy.crowd import TENANTS, complaint, questions
from tests.tenancy.rows import Marked, foreign_marks

_PATIENCE = 60.0
_PAUSE = 0.02
# What costs PostgreSQL more than the machine.
QUICK = frozenset(
    {
        "get_leads_count",
        "get_agent_conversion_stats",
        "get_top_performing_agent",
        "find_contacts",
        "get_contact",
        "list_agents",
        "list_pipelines",
    }
)
READERS = 6
WRITERS = 2


@dataclass(slots=True)
class Figures:
    """What became of the calls: how many, how they failed, how long one took, who saw what was not theirs."""

    calls: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0
    foreign: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    last_failure: float = 0.0

    def __str__(self) -> str:
        """Return the figures."""
        return (
            f"{self.calls} reads, failed {dict(self.failed)}, longest {self.longest:.2f} s, "
            f"foreign rows {len(self.foreign)}"
        )


class Load:
    """Callers of one address who do not stop; a failed read is not tried again, a change is, with its key."""

    def __init__(
        self, url: str, session: ClientSession, plan: Plan, tools: Collection[str], users: int | None = None
    ) -> None:
        """Have so many *users* read; else each call is another's, because users are limited in how often they may."""
        self.figures = Figures()
        self.client = Client(url, session)
        self._url = f"{url}/v1/tools/execute"
        self._session = session
        self._plan = plan
        self._tools = tools
        self._rng = Random(1)
        self._tokens = Tokens(SECRET)
        self._users = itertools.count() if users is None else itertools.cycle(range(users))
        self._bearer = lru_cache(0 if users is None else users * len(TENANTS))(self._signed)
        self._stopped = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Load"]:
        """Call while the block runs; changes that have begun are made in the end."""
        async with asyncio.TaskGroup() as callers:
            for _ in range(READERS):
                callers.create_task(self._read())
            for _ in range(WRITERS):
                callers.create_task(self._write())
            try:
                yield self
            finally:
                self._stopped = True

    async def some_more(self, calls: int = 40) -> None:
        """Return when so many more reads have been answered."""
        enough = self.answered + calls
        async with asyncio.timeout(_PATIENCE):
            while self.answered < enough:  # noqa: ASYNC110 - many tasks count
                await asyncio.sleep(_PAUSE)

    @property
    def answered(self) -> int:
        """How many reads got their answer."""
        return self.figures.calls - self.figures.failed.total()

    async def _write(self) -> None:
        while not self._stopped:
            await self.client.make(self._plan.change())

    async def _read(self) -> None:
        while not self._stopped:
            outcome = await self._read_once()
            if outcome != "ok":
                self.figures.failed[outcome] += 1
                self.figures.last_failure = time.monotonic()
                await asyncio.sleep(_PAUSE)

    async def _read_once(self) -> str:
        tenant = self._rng.choice(TENANTS)
        tool, arguments = self._question(tenant)
        token = self._bearer(tenant.tenant, next(self._users))
        body = orjson.dumps({"tool_name": tool, "arguments": arguments})
        began = time.monotonic()
        try:
            outcome, answer = await self._post(body, token)
        except (ClientError, OSError) as error:
            outcome, answer = type(error).__name__, {}
        self.figures.calls += 1
        self.figures.longest = max(self.figures.longest, time.monotonic() - began)
        if marks := foreign_marks(orjson.dumps(answer).decode(), tenant, TENANTS):
            self.figures.foreign.append(f"{tool} of {tenant.mark} shows {marks}")
        elif outcome == "ok" and (wrong := complaint(tool, arguments, answer, tenant)):
            self.figures.wrong.append(wrong)
        return outcome

    def _question(self, tenant: Marked) -> tuple[str, Any]:
        while True:
            tool, arguments = questions(tenant, self._rng)
            if tool in self._tools:
                return tool, arguments

    def _signed(self, tenant: str, user: int) -> str:
        return self._tokens.sign(tenant, f"reader-{user}", ["*"], timedelta(hours=24))

    async def _post(self, body: bytes, token: str) -> tuple[str, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {token}"}
        async with self._session.post(self._url, data=body, headers=headers) as response:
            said = orjson.loads(await response.read())
        if response.status == 200:
            return "ok", said["result"]
        if response.status == 503:
            assert int(response.headers["Retry-After"]) >= 1
        return said["error"]["code"], said


@asynccontextmanager
async def constant_load(
    url: str, plan: Plan, *, tools: Collection[str] = QUICK, users: int | None = None
) -> AsyncIterator[Load]:
    """Call the server of *url* while the block runs."""
    connections = TCPConnector(limit=0)
    async with (
        ClientSession(connector=connections, timeout=ClientTimeout(_PATIENCE)) as session,
        Load(url, session, plan, tools, users).running() as load,
    ):
        yield load
