"""Which hosts and which pages are answered, at every address of the server."""

from collections.abc import AsyncIterator

import orjson
import pytest
import pytest_asyncio

from tests.wire.client import Client, request
from tests.wire.conftest import Serving

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGE = "https://app.example.com"
PATHS = ["/mcp", "/rpc", "/v1/tools/list", "/v1/tools/execute", "/progress/x", "/nowhere"]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def listed(serving: Serving) -> AsyncIterator[Client]:
    """A server with names and an allow-list."""
    async with serving(
        cors_origins=(PAGE,), allowed_hosts=("crm.internal",), public_url="https://crm.example.com"
    ) as it:
        yield it


@pytest.mark.parametrize("path", PATHS)
async def test_another_host_is_421_at_every_address_but_those_of_probes(listed: Client, path: str) -> None:
    assert (await listed.send("GET", path, headers={"Host": "evil.example.com"})).status == 421


@pytest.mark.parametrize("path", ["/health", "/ready"])
async def test_probes_ask_by_any_address(listed: Client, path: str) -> None:
    assert (await listed.send("GET", path, permissions=None, headers={"Host": "10.1.2.3:8081"})).status == 200


@pytest.mark.parametrize("host", ["crm.internal", "crm.example.com", "localhost:1", "[::1]:8081"])
async def test_the_servers_own_names_are_answered(listed: Client, host: str) -> None:
    assert (await listed.get("/v1/tools/list", headers={"Host": host})).status == 200


@pytest.mark.parametrize("origin", ["https://evil.example.com", "null", "", "http://app.example.com"])
@pytest.mark.parametrize("path", [*PATHS, "/health"])
async def test_another_page_is_403_and_may_not_read_why(listed: Client, path: str, origin: str) -> None:
    answer = await listed.send("GET", path, headers={"Origin": origin})

    assert (answer.status, answer.error["code"]) == (403, "origin_not_allowed")
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("origin", [PAGE, "https://crm.example.com", "http://localhost:6274"])
async def test_a_listed_page_may_call_and_read_the_headers_that_matter(listed: Client, origin: str) -> None:
    body = orjson.dumps(request("tools/list"))
    answers = [
        await listed.send("POST", "/rpc", body, headers={"Origin": origin}),
        await listed.send("POST", "/rpc", body, permissions=None, headers={"Origin": origin}),
        await listed.get("/nowhere", headers={"Origin": origin}),
    ]

    assert [answer.status for answer in answers] == [200, 401, 404]
    for answer in answers:
        assert answer.headers["Access-Control-Allow-Origin"] == origin
        assert "Origin" in answer.headers["Vary"]
        for name in ("Mcp-Session-Id", "WWW-Authenticate", "Retry-After"):
            assert name in answer.headers["Access-Control-Expose-Headers"]


async def test_a_browser_may_ask_beforehand_without_a_token(listed: Client) -> None:
    answer = await listed.send(
        "OPTIONS",
        "/mcp",
        permissions=None,
        headers={
            "Origin": PAGE,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "mcp-session-id, mcp-param-region, x-evil",
        },
    )

    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    allowed = answer.headers["Access-Control-Allow-Headers"].lower()
    for name in ("authorization", "mcp-session-id", "mcp-protocol-version", "mcp-method", "mcp-name", "last-event-id"):
        assert name in allowed
    assert "mcp-param-region" in allowed
    assert "x-evil" not in allowed
    assert {"GET", "POST", "DELETE"} <= set(answer.headers["Access-Control-Allow-Methods"].split(", "))
    assert "Access-Control-Allow-Credentials" not in answer.headers


async def test_a_page_that_is_not_listed_is_told_no_beforehand(listed: Client) -> None:
    headers = {"Origin": "https://evil.example.com", "Access-Control-Request-Method": "POST"}

    answer = await listed.send("OPTIONS", "/mcp", permissions=None, headers=headers)

    assert answer.status == 403
    assert "Access-Control-Allow-Origin" not in answer.headers


async def test_options_without_a_page_is_405_with_what_is_allowed(listed: Client) -> None:
    answer = await listed.send("OPTIONS", "/mcp")

    assert (answer.status, answer.headers["Allow"]) == (405, "DELETE,GET,POST")
