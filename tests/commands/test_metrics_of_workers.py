"""Several processes behind one port: whichever is scraped, all are shown, and what one has done counts once."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from rpc_server.backends.tokens import Tokens
from tests.commands.conftest import Database
from tests.commands.program import Program, running
from tests.conftest import SECRET

PATIENCE = 30.0


class Server:
    """Talks to one of the processes at a time, by a connection of its own each."""

    def __init__(self, url: str) -> None:
        self._url = url
        token = Tokens(SECRET).sign("tenant-a", "somebody", ["*"], timedelta(minutes=5))
        self._headers = {"Authorization": f"Bearer {token}"}

    async def call(self) -> None:
        body = {"tool_name": "list_pipelines", "arguments": {}}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self._url}/v1/tools/execute", json=body, headers=self._headers) as response,
        ):
            assert response.status == 200

    async def figures(self, name: str) -> dict[str, float]:
        """Return a metric's series that are not 0, by worker."""
        async with aiohttp.ClientSession() as session, session.get(f"{self._url}/metrics") as response:
            text = await response.text()
        return {
            sample.labels["worker"]: sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and sample.value
        }

    async def until(self, name: str, holds: Callable[[dict[str, float]], bool]) -> dict[str, float]:
        """Wait until a metric is as it should be."""
        async with asyncio.timeout(PATIENCE):
            while not holds(found := await self.figures(name)):  # noqa: ASYNC110 - what is waited for is over there
                await asyncio.sleep(0.1)
        return found


@asynccontextmanager
async def serving(tmp_path: Path, database: Database) -> AsyncIterator[tuple[Server, Program]]:
    environment = {"DATABASE_URL": database.server_url, "JWT_SECRET": SECRET, "PORT": "0", "WORKERS": "2"}
    with running(tmp_path / "output", "serve", **environment) as program:
        await asyncio.to_thread(program.until_it_says, "stop it with Ctrl-C")
        server = Server(program.said().partition("serves on ")[2].partition(",")[0])
        await server.until("crm_mcp_build_info", lambda found: set(found) == {"0", "1"})
        yield server, program
        program.terminate()
        assert await asyncio.to_thread(program.status) == 0


async def test_each_scrape_shows_all_workers_and_every_call_once(tmp_path: Path, database: Database) -> None:
    async with serving(tmp_path, database) as (server, _):
        await asyncio.gather(*(server.call() for _ in range(40)))

        await server.until("crm_mcp_calls_total", lambda found: sum(found.values()) >= 40)
        for _ in range(10):
            assert sum((await server.figures("crm_mcp_calls_total")).values()) == 40


async def test_a_worker_that_died_is_replaced_in_its_place_from_zero(tmp_path: Path, database: Database) -> None:
    async with serving(tmp_path, database) as (server, program):
        started = await server.figures("process_start_time_seconds")
        os.kill(program.children()[0], signal.SIGKILL)
        now = await server.until(
            "process_start_time_seconds", lambda found: set(found) == {"0", "1"} and found != started
        )

    assert sum(now[worker] != started[worker] for worker in ("0", "1")) == 1
