"""GET /v1/tools/list, POST /v1/tools/execute and the routes of whoever runs the server, over HTTP."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import pytest
from pydantic import SecretStr

from handlers import CATALOG
from tests.wire.client import Client
from tests.wire.conftest import Serving
from tests.wire.probes import Probes

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROUTES = {
    "/health": {"GET", "HEAD"},
    "/ready": {"GET", "HEAD"},
    "/rpc": {"POST"},
    "/v1/tools/list": {"GET", "HEAD"},
    "/v1/tools/execute": {"POST"},
}
PUBLIC = {"/health", "/ready"}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


async def test_the_list_tells_what_each_tool_takes(client: Client) -> None:
    listed = (await client.get("/v1/tools/list")).json

    assert listed["count"] == len(listed["tools"]) == len(CATALOG)
    for shown, tool in zip(listed["tools"], CATALOG.values(), strict=True):
        assert shown["name"] == tool.name
        assert shown["description"] == tool.description
        assert shown["parameters"] == shown["inputSchema"] == tool.input_schema
        assert shown["supports_streaming"] is tool.streams
        assert shown["annotations"]["readOnlyHint"] is not tool.writes


async def test_only_tools_that_the_caller_may_call_are_listed(client: Client) -> None:
    listed = (await client.get("/v1/tools/list", permissions=("contacts.*",))).json

    assert {"find_contacts", "get_contact"} <= {tool["name"] for tool in listed["tools"]}
    assert "list_agents" not in {tool["name"] for tool in listed["tools"]}


async def test_a_tool_is_executed(client: Client) -> None:
    answer = await client.execute("get_leads_count", {"period": "all"})

    assert answer.status == 200
    assert set(answer.json) == {"tool_name", "result", "cache", "timestamp"}
    assert answer.json["tool_name"] == "get_leads_count"
    assert answer.json["result"]["total_leads"] == 60
    assert abs(datetime.now(UTC) - datetime.fromisoformat(answer.json["timestamp"])).total_seconds() < 60


@pytest.mark.parametrize("arguments", [b"", b',"arguments":null', b',"arguments":{}'])
async def test_arguments_may_be_left_out(client: Client, arguments: bytes) -> None:
    assert (await client.post_execute(b'{"tool_name":"list_agents"%s}' % arguments)).status == 200


async def test_both_ways_in_give_the_same_result(client: Client) -> None:
    arguments = {"start_date": "2026-01-01", "end_date": "2026-11-18"}

    plain = (await client.execute("get_agent_conversion_stats", arguments)).json["result"]
    rpc = (await client.call("get_agent_conversion_stats", arguments)).result["structuredContent"]

    assert plain == rpc


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ([], {"body": "is not an object"}),
        ("x", {"body": "is not an object"}),
        (None, {"body": "is not an object"}),
        ({}, {"tool_name": "is required"}),
        ({"tool_name": None}, {"tool_name": "is not text"}),
        ({"tool_name": ["list_agents"]}, {"tool_name": "is not text"}),
        ({"name": "list_agents"}, {"tool_name": "is required", "name": "is not a member of the body"}),
        ({"tool_name": "list_agents", "tenant_id": "other"}, {"tenant_id": "is not a member of the body"}),
    ],
)
async def test_a_body_of_another_shape_is_told_what_belongs_into_it(client: Client, body: Any, fields: Any) -> None:
    answer = await client.post_execute(body)

    assert (answer.status, answer.error["code"]) == (400, "invalid_arguments")
    assert answer.fields == fields


async def test_bad_arguments_are_400_and_name_each_field(client: Client) -> None:
    answer = await client.execute("get_leads_count", {"period": "decade", "status": 1})

    assert (answer.status, answer.error["code"]) == (400, "invalid_arguments")
    assert set(answer.error) == {"code", "message", "fields", "request_id"}
    assert answer.fields == {"period": "is 'decade'", "status": "is 1"}


async def test_a_refused_tool_is_403_with_the_scope_it_needs(client: Client) -> None:
    answer = await client.execute("list_agents", permissions=("analytics.view",))

    assert (answer.status, answer.error["code"]) == (403, "permission_denied")
    assert answer.error["missing"] == ["members.view"]
    assert answer.headers["WWW-Authenticate"] == (
        'Bearer realm="crm-mcp", error="insufficient_scope", scope="members.view"'
    )


async def test_an_unknown_tool_is_404_and_names_those_that_the_caller_may_call(client: Client) -> None:
    answer = await client.execute("list_agent", permissions=("members.view",))

    assert (answer.status, answer.error["code"], answer.error["tools"]) == (404, "not_found", ["list_agents"])


async def test_an_unknown_contact_is_404(client: Client) -> None:
    answer = await client.execute("get_contact", {"contact_id": "00000000-0000-4000-8000-000000000000"})

    assert (answer.status, answer.error["code"]) == (404, "not_found")
    assert "find_contacts" in answer.error["message"]


async def test_a_tool_that_takes_too_long_is_504(serving: Serving) -> None:
    async with serving(tools=Probes().tools) as client:
        answer = await client.execute("dream")

    assert (answer.status, answer.error["code"]) == (504, "deadline_exceeded")
    assert "0.05 s" in answer.error["message"]


async def test_what_nobody_foresaw_is_500_with_an_incident_and_nothing_else(serving: Serving) -> None:
    async with serving(tools=Probes().tools) as client:
        answer = await client.execute("stumble", {"word": "segredo"})

    assert answer.status == 500
    assert set(answer.error) == {"code", "message", "incident", "request_id"}
    assert answer.error["code"] == "internal"


# --- without PostgreSQL -------------------------------------------------------------------------


@contextmanager
def a_dead_port() -> Iterator[str]:
    """A port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"postgresql://u:p@127.0.0.1:{taken.getsockname()[1]}/crm"


@contextmanager
def a_silent_port() -> Iterator[str]:
    """A port that takes connections and says nothing, as a stopped PostgreSQL does."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield f"postgresql://u:p@127.0.0.1:{listening.getsockname()[1]}/crm"


@pytest.mark.parametrize("port", [a_dead_port, a_silent_port])
async def test_without_postgresql_calls_fail_fast_and_say_when_to_come_back(serving: Serving, port: Any) -> None:
    with port() as url:
        async with serving(database_url=SecretStr(url), database_wait_seconds=0.5) as client:
            started = perf_counter()
            plain, rpc, health, ready = await asyncio.gather(
                client.execute("list_agents"), client.call("list_agents"), client.get("/health"), client.get("/ready")
            )
            took = perf_counter() - started

    assert took < 3
    assert (plain.status, plain.error["code"]) == (503, "dependency_unavailable")
    assert plain.headers["Retry-After"] == str(plain.error["retry_after"])
    assert rpc.status == 200
    assert rpc.result["isError"] is True
    assert rpc.result["structuredContent"]["code"] == "dependency_unavailable"
    assert (health.status, health.json) == (200, {"status": "ok"})
    assert (ready.status, ready.json["dependencies"]) == (503, {"postgres": "unavailable"})


async def test_without_postgresql_what_needs_none_is_still_answered(serving: Serving) -> None:
    with a_dead_port() as url:
        async with serving(database_url=SecretStr(url)) as client:
            listed = await client.get("/v1/tools/list")
            wrong = await client.execute("get_leads_count", {"period": "decade"})

    assert (listed.status, wrong.status) == (200, 400)


async def test_a_server_with_postgresql_is_ready(client: Client) -> None:
    answer = await client.get("/ready", permissions=None)

    assert (answer.status, answer.json) == (200, {"status": "ok", "dependencies": {"postgres": "ok"}})


# --- addresses and methods ----------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "path", [*ROUTES, "/", "/v1", "/v1/tools/execute/", "/RPC", "/no/such", "//rpc", "/v1/tools/x/"]
)
async def test_each_address_takes_its_methods_and_no_others(client: Client, path: str, method: str) -> None:
    answer = await client.send(method, path, b"{}" if method == "POST" else None)

    if path not in ROUTES:
        assert answer.status == 404
    elif method not in ROUTES[path]:
        assert answer.status == 405
        assert set(answer.headers["Allow"].split(",")) == ROUTES[path]
    else:
        assert answer.status in (200, 400)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "path", [*ROUTES, "/no/such", "/health/", "//health", "/v1/../health", "/health%00", "/HEALTH"]
)
async def test_without_a_token_only_health_and_readiness_are_told(client: Client, path: str, method: str) -> None:
    answer = await client.send(method, path, permissions=None)

    if path in PUBLIC:
        assert answer.status == (200 if method in ROUTES[path] else 405)
    else:
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="crm-mcp"'
