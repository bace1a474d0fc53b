"""SIGTERM to a real server: not ready, no new calls, running ones finish, streams are told, exit 0."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from aiohttp import ClientConnectionError, ClientResponse, ClientSession

from handlers.demo import DemoPlan
from rpc_server.backends.tokens import Tokens
from rpc_server.commands.demo import load
from tests.conftest import SECRET, Crm
from tests.faults.nursery import Nursery
from tests.faults.servers import Process, started
from tests.faults.tenants import held
from tests.faults.waiting import until

TENANT = "acme"
PATIENCE = 20.0
AGENT = "select id from agents where tenant_id = $1 and type = 'human' and deleted_at is null order by id limit 1"
CONTACT = "select id from contacts where tenant_id = $1 and deleted_at is null order by id limit 1"


@dataclass(slots=True)
class House:
    """A server that is about to stop, and calls that take as long as the test likes."""

    process: Process
    nursery: Nursery
    crm: Crm
    session: ClientSession
    agent: str
    contact: str
    user: str = "tester"
    _tokens: Tokens = field(default_factory=lambda: Tokens(SECRET))

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._tokens.sign(TENANT, self.user, ['*'], timedelta(minutes=5))}"}

    def count_leads(self) -> "asyncio.Task[tuple[int, Any]]":
        """Begin a read."""
        return self.execute("get_leads_count", {"period": "all"})

    def execute(self, tool: str, arguments: dict[str, Any]) -> "asyncio.Task[tuple[int, Any]]":
        """Begin a call."""
        return asyncio.create_task(self._execute(tool, arguments))

    async def _execute(self, tool: str, arguments: dict[str, Any]) -> tuple[int, Any]:
        body = {"tool_name": tool, "arguments": arguments}
        async with self.session.post(
            f"{self.process.url}/v1/tools/execute", json=body, headers=self.headers
        ) as response:
            return response.status, orjson.loads(await response.read())

    @asynccontextmanager
    async def stream(self) -> AsyncIterator[ClientResponse]:
        """Begin an analysis that reads messages, and give its stream once it has started."""
        path = f"{self.process.url}/v1/tools/analyze_agent_messages/stream"
        async with self.session.get(path, params={"agent_id": self.agent}, headers=self.headers) as response:
            assert response.status == 200
            assert (await response.content.readuntil(b"\r\n\r\n")).count(b'"starting"') == 1
            yield response

    def held(self, *tables: str) -> AbstractAsyncContextManager[None]:
        """Have every call that needs one of the *tables* wait until the block ends."""
        return held(self.crm.owner_url, *tables)

    async def waiting(self, number: int) -> None:
        """Return when so many calls wait for what is held."""
        query = """
            select count(*) from pg_stat_activity
             where datname = current_database() and application_name = 'crm-mcp' and wait_event_type = 'Lock'
        """
        async with asyncio.timeout(PATIENCE):
            while await self.crm.owner.fetchval(query) < number:
                pass

    async def readiness(self) -> tuple[int, str]:
        """Return what /ready says."""
        async with self.session.get(f"{self.process.url}/ready") as response:
            return response.status, orjson.loads(await response.read()).get("status", "")

    async def status(self) -> int:
        """Return the exit status, once there is one."""
        async with asyncio.timeout(PATIENCE):
            return await asyncio.to_thread(self.nursery.status, self.process.pid)

    async def refuses_connections(self) -> None:
        """Return when nobody listens any more."""
        address = urlsplit(self.process.url)
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    _, writer = await asyncio.open_connection(address.hostname, address.port)
                except ConnectionError:
                    return
                writer.close()
                await asyncio.sleep(0.01)


@asynccontextmanager
async def house(crm: Crm, nursery: Nursery, folder: Path, **settings: str) -> AsyncIterator[House]:
    """Start a server on a tenant's data."""
    now = datetime.now(UTC).replace(microsecond=0)
    await load(crm.owner, DemoPlan(TENANT, 60, seed=3, until=now), lambda done: None)
    environment = {
        "DATABASE_URL": crm.server_url,
        "JWT_SECRET": SECRET,
        "PORT": "0",
        "CACHE": "off",
        "LOG_LEVEL": "warning",
        **settings,
    }
    process = await started(nursery, folder / "server.log", environment)
    async with ClientSession() as session:
        agent, contact = [str(await crm.owner.fetchval(query, TENANT)) for query in (AGENT, CONTACT)]
        try:
            yield House(process, nursery, crm, session, agent, contact)
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            print((folder / "server.log").read_text())


async def test_what_runs_is_finished_and_nothing_new_begins(crm: Crm, nursery: Nursery, tmp_path: Path) -> None:
    async with house(crm, nursery, tmp_path) as place, place.session.get(f"{place.process.url}/health"):
        async with place.held("mcp_store.fact_lead_slots"):
            calls = [place.count_leads() for _ in range(3)]
            await place.waiting(3)
            place.process.terminate()
            await place.refuses_connections()
            await asyncio.wait(calls, timeout=0.2)
            assert not any(call.done() for call in calls)

        assert {status for status, _ in await asyncio.gather(*calls)} == {200}
        assert await place.status() == 0


async def test_a_kept_connection_is_told_to_go_elsewhere(crm: Crm, nursery: Nursery, tmp_path: Path) -> None:
    async with house(crm, nursery, tmp_path) as place:
        address = urlsplit(place.process.url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        ask = f"POST /rpc HTTP/1.1\r\nHost: localhost\r\nAuthorization: {place.headers['Authorization']}\r\n"
        listing = b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}'
        request = f"{ask}Content-Length: {len(listing)}\r\n\r\n".encode() + listing
        async with asyncio.timeout(PATIENCE):
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split()[0]))
            async with place.held("mcp_store.fact_lead_slots"):
                call = place.count_leads()
                await place.waiting(1)
                place.process.terminate()
                await place.refuses_connections()
                writer.write(request)
                answer = await reader.read()

        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"connection: close" in answer.lower() and b"retry-after:" in answer.lower()
        assert b'"shutting_down"' in answer
        assert (await call)[0] == 200
        assert await place.status() == 0
        writer.close()


async def test_in_the_time_of_grace_it_is_not_ready_and_serves(crm: Crm, nursery: Nursery, tmp_path: Path) -> None:
    async with house(crm, nursery, tmp_path, READY_GRACE_SECONDS="1.5") as place:
        assert await place.readiness() == (200, "ok")
        place.process.terminate()
        async with asyncio.timeout(PATIENCE):
            while (said := await place.readiness()) == (200, "ok"):
                pass
        assert said == (503, "draining")

        url = f"{place.process.url}/v1/tools/list"
        async with place.session.get(url, headers=place.headers) as response:
            assert (response.status, response.headers["Connection"]) == (200, "close")
        assert (await place.count_leads())[0] == 200
        await place.refuses_connections()
        assert await place.status() == 0


async def test_a_stream_that_outlasts_the_drain_ends_with_shutting_down(
    crm: Crm, nursery: Nursery, tmp_path: Path
) -> None:
    async with house(crm, nursery, tmp_path, DRAIN_SECONDS="0.5") as place, place.held("messages"):
        async with place.stream() as response:
            await place.waiting(1)
            place.process.terminate()
            async with asyncio.timeout(PATIENCE):
                rest = (await response.read()).decode()

        last = orjson.loads(rest.strip().rpartition("data: ")[2])
        assert (last["stage"], last["data"]["code"]) == ("error", "shutting_down")
        assert await place.status() == 0


async def test_a_call_that_outlasts_the_drain_is_told_shutting_down(crm: Crm, nursery: Nursery, tmp_path: Path) -> None:
    async with house(crm, nursery, tmp_path, DRAIN_SECONDS="0.5") as place, place.held("mcp_store.fact_lead_slots"):
        call = place.count_leads()
        await place.waiting(1)
        place.process.terminate()

        status, answer = await call
        assert (status, answer["error"]["code"]) == (503, "shutting_down")
        assert await place.status() == 0


async def test_a_change_that_has_begun_is_made(crm: Crm, nursery: Nursery, tmp_path: Path) -> None:
    """Although its caller hears nothing any more, for it took longer than the drain."""
    async with house(crm, nursery, tmp_path, DRAIN_SECONDS="0.2") as place:
        change = {"contact_id": place.contact, "status": "qualified", "reason": "drained", "bant_scores": {}}
        async with place.held("mcp_store.fact_lead_slots"):
            call = place.execute("qualify_lead", change)
            await place.waiting(1)
            place.process.terminate()
            await place.refuses_connections()
            await asyncio.wait([call], timeout=1.0)

        assert await place.status() == 0
        made = "select count(*) from mcp_store.qualifications where reason = 'drained'"
        assert await crm.owner.fetchval(made) == 1
        with suppress(ClientConnectionError):  # or it hears of it just in time
            assert (await call)[0] == 200


async def test_who_waits_for_a_call_that_never_began_is_sent_away_at_once(
    crm: Crm, nursery: Nursery, tmp_path: Path
) -> None:
    async with house(crm, nursery, tmp_path, PROGRESS_WAIT_SECONDS="60") as place:
        url = f"{place.process.url}/progress/never"
        watcher = asyncio.create_task(_status_of(place.session, url, place.headers))
        await asyncio.wait([watcher], timeout=0.3)
        began = time.monotonic()
        place.process.terminate()

        assert await watcher == (503, "shutting_down")
        assert await place.status() == 0
        assert time.monotonic() - began < PATIENCE


async def test_a_request_on_its_way_gets_its_answer(crm: Crm, nursery: Nursery, tmp_path: Path) -> None:
    async with house(crm, nursery, tmp_path) as place:
        address = urlsplit(place.process.url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        body = b'{"tool_name":"get_leads_count","arguments":{"period":"all"}}'
        head = (
            f"POST /v1/tools/execute HTTP/1.1\r\nHost: localhost\r\nAuthorization: {place.headers['Authorization']}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body[:20])
        await writer.drain()
        await place.readiness()  # the server has read what was sent before
        place.process.terminate()
        await place.refuses_connections()
        writer.write(body[20:])
        async with asyncio.timeout(PATIENCE):
            answer = await reader.read()

        assert answer.startswith(b"HTTP/1.1 200 ")
        assert await place.status() == 0
        writer.close()


@pytest.mark.parametrize("again", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_changes_nothing(
    crm: Crm, nursery: Nursery, tmp_path: Path, again: signal.Signals
) -> None:
    async with house(crm, nursery, tmp_path) as place:
        async with place.held("mcp_store.fact_lead_slots"):
            call = place.count_leads()
            await place.waiting(1)
            place.process.terminate()
            await place.refuses_connections()
            for _ in range(3):
                os.kill(place.process.pid, again)
                await asyncio.sleep(0.05)

        assert (await call)[0] == 200
        assert await place.status() == 0


async def test_a_hangup_reloads_nothing_and_harms_nothing(crm: Crm, nursery: Nursery, tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    async with house(crm, nursery, tmp_path) as place:
        os.kill(place.process.pid, signal.SIGHUP)
        await until(lambda: "nothing is reloaded" in log.read_text())

        assert (await place.count_leads())[0] == 200
        place.process.terminate()
        assert await place.status() == 0


async def _status_of(session: ClientSession, url: str, headers: dict[str, str]) -> tuple[int, str]:
    async with session.get(url, headers=headers) as response:
        return response.status, orjson.loads(await response.read())["error"]["code"]
