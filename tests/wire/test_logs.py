"""What an operator reads of a call, and what nobody may read there."""

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from rpc_server.calls.log_context import with_context
from tests.wire.client import Client, request
from tests.wire.conftest import Serving
from tests.wire.probes import Probes

pytestmark = pytest.mark.asyncio(loop_scope="session")

SECRETS = ("Zuleica", "11987654321")
LOOKING = {"query": "Zuleica 11987654321"}


def of(lines: list[Any], event: str) -> list[dict[str, Any]]:
    return [line for line in lines if line["event"] == event]


@pytest.mark.parametrize("way", [Client.execute, Client.call])
async def test_a_call_is_one_line_of_who_what_how_and_how_long(client: Client, way: Any) -> None:
    with capture_logs(processors=[with_context]) as lines:
        answer = await way(client, "find_contacts", LOOKING, headers={"X-Request-Id": "abc-1"})

    (line,) = lines
    duration = line.pop("duration_ms")
    assert line == {
        "event": "call",
        "log_level": "info",
        "tool": "find_contacts",
        "outcome": "ok",
        "tenant": "demo",
        "user": "tester",
        "request_id": "abc-1",
    }
    assert 0 < duration < 10_000
    assert answer.headers["X-Request-Id"] == "abc-1"


@pytest.mark.parametrize(
    ("tool", "arguments", "permissions", "outcome"),
    [
        ("find_contacts", {"limit": "Zuleica 11987654321"}, ("*",), "invalid_arguments"),
        ("find_contacts", LOOKING, ("members.view",), "permission_denied"),
        ("get_contact", {"contact_id": "00000000-0000-4000-8000-000000000000"}, ("*",), "not_found"),
    ],
)
async def test_an_error_is_one_line_with_its_code(
    client: Client, tool: str, arguments: Any, permissions: tuple[str, ...], outcome: str
) -> None:
    with capture_logs() as lines:
        await client.execute(tool, arguments, permissions=permissions)

    assert [(line["event"], line["outcome"]) for line in lines] == [("call", outcome)]


async def test_each_member_of_a_batch_is_a_line_under_the_request_id_and_its_place(client: Client) -> None:
    params = ({"name": "list_agents"}, {"name": "list_pipelines"}, {"name": "list_agents"})
    with capture_logs(processors=[with_context]) as lines:
        answer = await client.rpc([request("tools/call", param, id=n) for n, param in enumerate(params)])

    assert sorted(line["tool"] for line in lines) == ["list_agents", "list_agents", "list_pipelines"]
    assert sorted(line["request_id"] for line in lines) == [f"{answer.headers['X-Request-Id']}.{n}" for n in (1, 2, 3)]


@pytest.mark.parametrize("way", [Client.execute, Client.call])
async def test_what_nobody_foresaw_is_a_line_under_the_incident_that_the_caller_is_told(
    serving: Serving, way: Any
) -> None:
    async with serving(tools=Probes().tools) as client:
        with capture_logs() as lines:
            answer = await way(client, "stumble", {"word": "x"})

    told = (answer.json.get("error") or answer.json["result"]["structuredContent"])["incident"]
    (incident,) = of(lines, "incident")
    assert (incident["incident"], incident["log_level"]) == (told, "error")
    assert isinstance(incident["exc_info"], RuntimeError)
    assert [line["outcome"] for line in of(lines, "call")] == ["internal"]


async def test_a_call_that_took_too_long_is_logged_as_such(serving: Serving) -> None:
    async with serving(tools=Probes().tools) as client:
        with capture_logs() as lines:
            await client.execute("dream")

    (line,) = of(lines, "call")
    assert line["outcome"] == "deadline_exceeded"
    assert line["duration_ms"] >= 50


async def test_a_refused_token_is_a_line_with_its_reason_and_who_sent_it(serving: Serving) -> None:
    async with serving() as client:
        with capture_logs() as lines:
            answer = await client.get("/v1/tools/list", permissions=None, headers={"Authorization": "Bearer a.b.c"})

    assert lines == [
        {
            "event": "unauthenticated",
            "log_level": "info",
            "reason": "The token is not a valid JWT of this server.",
            "client": "127.0.0.1",
            "request_id": answer.headers["X-Request-Id"],
        }
    ]


async def test_a_flood_of_refused_tokens_is_sixty_lines_a_minute(serving: Serving) -> None:
    async with serving() as client:
        with capture_logs() as lines:
            for _ in range(4):
                await asyncio.gather(*(client.get("/rpc", permissions=None) for _ in range(25)))

    assert len(of(lines, "unauthenticated")) == 60


async def test_nothing_that_was_sent_or_found_is_logged(client: Client) -> None:
    bearer = client.server.bearer(client.tenant)
    with capture_logs() as lines:
        contact = (await client.execute("find_contacts", {"limit": 1})).json["result"]["contacts"][0]
        await asyncio.gather(
            client.execute("find_contacts", LOOKING, headers=bearer, permissions=None),
            client.call("find_contacts", LOOKING),
            client.execute("find_contacts", {"limit": "Zuleica", "11987654321": 1}),
            client.execute("Zuleica", {}),
            client.call("Zuleica", LOOKING),
            client.rpc(b'{"Zuleica": 11987654321'),
            client.get("/Zuleica?query=11987654321"),
            client.execute("get_contact", {"contact_id": contact["contact_id"]}),
            client.execute("find_contacts", headers={"X-Request-Id": "Zuleica 11987654321"}),
        )

    told = str(lines)
    assert [word for word in (*SECRETS, contact["contact_id"], contact["name"]) if word in told] == []
    assert [part for part in bearer["Authorization"].split(".") if part in told] == []


async def test_whoever_asks_after_the_servers_health_is_not_logged(client: Client) -> None:
    with capture_logs() as lines:
        await client.get("/health", permissions=None)
        await client.get("/ready", permissions=None)

    assert lines == []
