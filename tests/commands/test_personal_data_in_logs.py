"""A server that logs all it can, under calls about people: its whole output is searched for anything of them."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from handlers import CATALOG
from handlers.demo import DemoPlan
from rpc_server.backends.tokens import Tokens
from rpc_server.commands.demo import load
from tests.commands.conftest import Database
from tests.commands.program import running
from tests.conftest import SECRET
from tests.wire.mcp import META, MODERN

# What callers write: a name, a number, an address, a document, and words of a customer.
PLANTED = ("Zuleica", "11987654321", "zuleica@example.com", "529.982.247-25", "quero cancelar meu pedido")
NOW = datetime(2026, 11, 18, 15, 0, tzinfo=UTC)


async def load_people(database: Database) -> tuple[str, ...]:
    """Fill the tenant, and return what identifies one of its people."""
    owner = await asyncpg.connect(database.owner_url)
    try:
        plan = DemoPlan(tenant_id="people", contacts=30, seed=1, until=NOW)
        await load(owner, plan, lambda done: None)
        found = await owner.fetchrow("select name, phone, email from contacts where email is not null limit 1")
        assert found is not None
        return tuple(found)
    finally:
        await owner.close()


class Caller:
    """Calls tools of a server in every way there is."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url
        token = Tokens(SECRET).sign("people", "somebody", ["*"], timedelta(minutes=5))
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json, text/event-stream"}

    async def post(self, path: str, body: Any, **headers: str) -> tuple[int, str]:
        sent = {**self._headers, **headers}
        async with self._session.post(f"{self._url}{path}", json=body, headers=sent) as response:
            return response.status, await response.text()

    async def call(self, name: str, arguments: Any) -> tuple[int, str]:
        """Call a tool in all ways, and return what the last one said."""
        params = {"name": name, "arguments": arguments}
        await self.post("/rpc", {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
        meta = {f"{META}protocolVersion": MODERN, f"{META}clientCapabilities": {}}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {**params, "_meta": meta}}
        routing = {"MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call", "Mcp-Name": name}
        assert (await self.post("/mcp", body, **routing))[0] == 200
        await self.post(f"/v1/tools/{name}/stream", arguments)
        return await self.post("/v1/tools/execute", {"tool_name": name, "arguments": arguments})


async def traffic(output: Path, database: Database) -> tuple[str, tuple[str, ...]]:
    """Run the server under calls that succeed, that are refused and that break it; return its output."""
    people = await load_people(database)
    environment = {
        "DATABASE_URL": database.server_url,
        "JWT_SECRET": SECRET,
        "LOG_LEVEL": "debug",
        "LOG_FORMAT": "json",
        "PORT": "0",
        "RATE_LIMIT_READ": "0",
        "RATE_LIMIT_WRITE": "5",
    }
    with running(output, "serve", **environment) as program:
        await asyncio.to_thread(program.until_it_says, "stop it with Ctrl-C")
        url = program.said().partition("serves on ")[2].partition(";")[0]
        async with aiohttp.ClientSession() as session:
            caller = Caller(session, url)
            found = await caller.call("find_contacts", {"query": people[0], "limit": 5})
            assert people[2] in found[1]
            for name in CATALOG:
                for planted in PLANTED:
                    await caller.call(name, {"query": planted, "notes": planted, "reason": planted, planted: planted})
            owner = await asyncpg.connect(database.owner_url)
            await owner.execute("alter view mcp.contacts rename to elsewhere")
            await owner.close()
            for planted in PLANTED:
                status, _ = await caller.call("find_contacts", {"query": planted})
                assert status == 500
        program.terminate()
        await asyncio.to_thread(program.status, 60)
        return program.said(), people


def test_nobody_is_named_in_the_logs(tmp_path: Path, database: Database) -> None:
    said, people = asyncio.run(traffic(tmp_path / "output", database))

    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    outcomes = {line["outcome"] for line in lines if line["event"] == "call"}
    incidents = [line for line in lines if line["event"] == "incident"]
    assert {"ok", "invalid_arguments", "internal", "rate_limited"} <= outcomes
    assert len(incidents) == 3 * len(PLANTED)
    assert all("asyncpg.exceptions.UndefinedTableError: 42P01" in line["exception"] for line in incidents)
    assert all(line["tool"] == "find_contacts" and line["tenant"] == "people" for line in incidents)
    assert [word for word in (*PLANTED, *people) if word in said] == []
