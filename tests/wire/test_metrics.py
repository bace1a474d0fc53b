"""GET /metrics: right after a known sequence of requests, and readable whatever strangers send."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import pytest
import pytest_asyncio
from aiohttp import ClientSession
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from handlers import CATALOG
from rpc_server.calls.log_context import with_context
from rpc_server.calls.measures import METRICS
from rpc_server.contract.query import query_names
from rpc_server.contract.tool import Call, catalog, tool
from tests.wire.client import PATIENCE, Client, exchange, request
from tests.wire.conftest import Serving
from tests.wire.test_progress import Counted, Steps

pytestmark = pytest.mark.asyncio(loop_scope="session")

Series: TypeAlias = tuple[str, frozenset[tuple[str, str]]]

NOBODY = "00000000-0000-4000-8000-000000000000"
EVIL = ('evil"', "evil\\", "evil{x='1'}", "evil#", "é-evil", "evil%0A1", "../evil", "evil" * 50)
# What identifies somebody here: the tenant and the user of the tests' tokens.
WHO = ("demo", "tester")
LABELS = {label for metric in METRICS for label in metric.labels} | {"le"}


async def text(client: Client) -> str:
    async with client.server.session.get(f"{client.server.url}/metrics") as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        return await response.text()


def parsed(exposition: str) -> dict[Series, float]:
    """Return each series by what Prometheus' own parser makes of it; none stands there twice."""
    found: dict[Series, float] = {}
    for family in text_string_to_metric_families(exposition):
        for sample in family.samples:
            key = sample.name, frozenset(sample.labels.items())
            assert key not in found
            found[key] = sample.value
    return found


async def scraped(client: Client) -> dict[Series, float]:
    return parsed(await text(client))


def series(name: str, **labels: str) -> Series:
    return name, frozenset(labels.items())


async def settled(client: Client, wanted: Callable[[dict[Series, float]], bool]) -> dict[Series, float]:
    """Scrape until the figures are as they should be."""
    async with asyncio.timeout(PATIENCE):
        while not wanted(figures := await scraped(client)):  # noqa: ASYNC110 - what is waited for is over there
            await asyncio.sleep(0.1)
    return figures


async def difference(client: Client, traffic: Callable[[], Awaitable[Any]], *names: str) -> dict[Series, float]:
    """Return by how much the series of *names* have grown through *traffic*."""
    before = await scraped(client)
    await traffic()
    after = await scraped(client)
    return {key: now - before.get(key, 0) for key, now in after.items() if key[0] in names and now != before.get(key)}


@pytest_asyncio.fixture(loop_scope="session")
async def own(serving: Serving) -> AsyncIterator[Client]:
    """A client of a server that nobody else talks to."""
    async with serving() as client:
        yield client


async def test_they_need_no_token_and_every_series_is_declared(own: Client) -> None:
    await own.execute("list_agents")
    figures = await scraped(own)

    declared = {metric.name for metric in METRICS}
    bases = {name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") for name, _ in figures}
    assert bases <= declared
    assert {"crm_mcp_calls_total", "crm_mcp_build_info", "crm_mcp_postgres_up", "process_open_fds"} <= bases


async def test_each_call_is_counted_once_however_it_came_in_and_ended(own: Client) -> None:
    async def traffic() -> None:
        for _ in range(3):
            await own.execute("find_contacts", {"query": "a"})
        await own.call("find_contacts", {"query": "a"})
        await own.rpc([request("tools/call", {"name": "list_agents"}, id=n) for n in (1, 2)])
        await own.execute("find_contacts", {"limit": "many"})
        await own.call("find_contacts", {"limit": "many"})
        await own.execute("find_contacts", {}, permissions=("members.view",))
        await own.execute("get_contact", {"contact_id": NOBODY})
        await own.execute("no_such_tool", {})
        await own.call("no_such_tool", {})

    assert await difference(own, traffic, "crm_mcp_calls_total", "crm_mcp_calls_in_flight") == {
        series("crm_mcp_calls_total", tool="find_contacts", outcome="ok"): 4,
        series("crm_mcp_calls_total", tool="list_agents", outcome="ok"): 2,
        series("crm_mcp_calls_total", tool="find_contacts", outcome="invalid_arguments"): 2,
        series("crm_mcp_calls_total", tool="find_contacts", outcome="permission_denied"): 1,
        series("crm_mcp_calls_total", tool="get_contact", outcome="not_found"): 1,
        **{series("crm_mcp_calls_in_flight", tool=tool): 0 for tool in ("find_contacts", "get_contact", "list_agents")},
    }


async def test_the_time_of_each_call_is_in_one_bucket_of_mcps(own: Client) -> None:
    async def traffic() -> None:
        for _ in range(5):
            await own.execute("list_pipelines")

    grown = await difference(own, traffic, "crm_mcp_call_duration_seconds_bucket")

    bounds = {float(dict(labels)["le"]) for _, labels in await scraped(own) if "le" in dict(labels)}
    assert {0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, float("inf")} <= bounds
    assert grown[series("crm_mcp_call_duration_seconds_bucket", tool="list_pipelines", le="+Inf")] == 5


async def test_statements_are_counted_by_the_name_of_their_file(own: Client) -> None:
    async def traffic() -> None:
        for _ in range(4):
            await own.execute("find_contacts", {"query": "a"})
        await own.execute("get_contact", {"contact_id": NOBODY})

    grown = await difference(own, traffic, "crm_mcp_statement_duration_seconds_count")

    counted = {dict(labels)["query"]: number for (_, labels), number in grown.items()}
    # By itself only where a connection has not been asked the same before; else it goes ahead of the statement.
    assert 1 <= counted.pop("begin", 1) <= 5
    assert counted["directory/find_contacts"] == 4
    assert counted["directory/get_contact"] == 1
    assert set(counted) <= set(query_names())


async def test_requests_are_counted_by_the_template_of_their_route(own: Client) -> None:
    async def traffic() -> None:
        await own.get("/health", permissions=None)
        await own.get("/v1/tools/list")
        await own.get("/v1/tools/list", permissions=None)
        await own.get("/progress/somebody-s-id-1", headers={"Last-Event-ID": "no number"})
        await own.get("/progress/somebody-s-id-2", headers={"Last-Event-ID": "no number"})
        await own.execute("find_contacts", {"limit": "many"})
        await own.get("/nowhere")
        await own.get("/rpc")
        await own.send("PATCH", "/rpc")

    def row(route: str, method: str, status: str) -> Series:
        return series("crm_mcp_http_requests_total", route=route, method=method, status=status)

    assert await difference(own, traffic, "crm_mcp_http_requests_total") == {
        row("/metrics", "GET", "2xx"): 1,  # the first of the two scrapes
        row("/health", "GET", "2xx"): 1,
        row("/v1/tools/list", "GET", "2xx"): 1,
        row("/v1/tools/list", "GET", "4xx"): 1,
        row("/progress/{request_id}", "GET", "4xx"): 2,
        row("/v1/tools/execute", "POST", "4xx"): 1,
        row("unmatched", "GET", "4xx"): 2,
        row("unmatched", "PATCH", "4xx"): 1,
    }


async def test_refused_tokens_are_counted_by_what_was_wrong(own: Client) -> None:
    async def traffic() -> None:
        await own.get("/v1/tools/list", permissions=None)
        await own.get("/v1/tools/list", permissions=None, headers={"Authorization": "Bearer a.b.c"})
        await own.get("/v1/tools/list", permissions=None, headers={"Authorization": "Basic a.b.c"})

    assert await difference(own, traffic, "crm_mcp_refused_tokens_total") == {
        series("crm_mcp_refused_tokens_total", fault="missing"): 1,
        series("crm_mcp_refused_tokens_total", fault="invalid"): 1,
        series("crm_mcp_refused_tokens_total", fault="malformed"): 1,
    }


async def test_the_pool_tells_of_itself(serving: Serving) -> None:
    async with serving(database_pool_size=3) as client:
        await asyncio.gather(*(client.execute("list_agents", {"type": "human"}) for _ in range(20)))
        figures = await scraped(client)

    assert figures[series("crm_mcp_postgres_connections_max")] == 3
    assert 1 <= figures[series("crm_mcp_postgres_connections", state="idle")] <= 3
    assert figures[series("crm_mcp_postgres_connections", state="in_use")] == 0
    assert figures[series("crm_mcp_postgres_waiting")] == 0
    assert figures[series("crm_mcp_postgres_up")] == 1


async def hostile(client: Client, evil: str) -> None:
    """Send *evil* wherever something can be sent."""
    name = evil.encode("ascii", "ignore").decode()
    stranger = Client(client.server, tenant=evil)
    bearer = client.server.bearer(evil, (evil, "*"), user=evil)["Authorization"].encode()
    await stranger.execute(evil, {evil: evil})
    await stranger.execute("find_contacts", {"query": evil, evil: 1})
    await stranger.call(evil, {})
    await stranger.rpc(request(evil, {"name": evil, "_meta": {"traceparent": evil, "progressToken": evil}}, id=evil))
    await stranger.rpc(evil.encode())
    for path in (f"/{evil}", f"/v1/tools/{evil}/stream", f"/progress/{evil}"):
        await stranger.get(path.replace("#", "%23").replace("é", "%C3%A9").replace('"', "%22").replace("\\", "%5C"))
    headers = {"X-Request-Id": name, "User-Agent": name, "traceparent": name, "Authorization": f"Bearer {name}"}
    await client.get("/v1/tools/list", permissions=None, headers=headers)
    mcp = {"Mcp-Method": name, "Mcp-Name": name, "Mcp-Session-Id": name, "MCP-Protocol-Version": name}
    body = request("tools/call", {"name": evil, "_meta": {evil: evil, "tracestate": evil}}, id=evil)
    sent = {**mcp, **client.server.bearer(evil), "Accept": "application/json, text/event-stream"}
    async with client.server.session.post(f"{client.server.url}/mcp", json=body, headers=sent) as response:
        assert response.status == 400
    line = b"PROPFIND /v1/tools/list?" + name.encode() + b" HTTP/1.1\r\nHost: localhost\r\nAuthorization: " + bearer
    await exchange(client.server, line + b"\r\nConnection: close\r\n\r\n")


async def test_strangers_make_no_series_and_nothing_unreadable(serving: Serving) -> None:
    async with serving(progress_wait_seconds=0, rate_limit_read=0) as client:
        await hostile(client, "quiet")
        await scraped(client)
        known = set(await scraped(client))
        for evil in EVIL:
            await hostile(client, evil)
        exposition = await text(client)

    figures = parsed(exposition)
    assert set(figures) == known
    assert "evil" not in exposition.lower()
    assert figures[series("crm_mcp_http_requests_total", route="unmatched", method="other", status="4xx")] >= 1


async def test_no_label_tells_of_anybody(own: Client) -> None:
    for name in CATALOG:
        await own.execute(name, {}, headers={"X-Request-Id": "somebody-s-id"})
    exposition = await text(own)

    labels = [dict(labels) for _, labels in parsed(exposition)]
    assert {label for each in labels for label in each} <= LABELS
    assert [who for who in (*WHO, "somebody-s-id") if who in exposition] == []


async def test_two_servers_in_one_process_count_apart(serving: Serving) -> None:
    calls = series("crm_mcp_calls_total", tool="list_agents", outcome="ok")
    async with serving() as first, serving() as second:
        await first.execute("list_agents")

        assert (await scraped(first))[calls] == 1
        assert (await scraped(second))[calls] == 0


@tool(title="Hold", permission="analytics.view", streams=True)
async def hold(call: Call, arguments: Steps) -> Counted:
    """Hold on until stopped."""
    await asyncio.get_running_loop().create_future()
    raise AssertionError("it went on")


HOLDING = catalog([hold])


async def test_open_streams_are_counted_until_their_clients_are_gone(serving: Serving) -> None:
    """And the calls behind them."""
    watchers = [
        series("crm_mcp_sse_watchers", route=route) for route in ("/v1/tools/{name}/stream", "/progress/{request_id}")
    ]
    in_flight = series("crm_mcp_calls_in_flight", tool="hold")
    paths = ["/v1/tools/hold/stream"] * 3 + ["/progress/the-call"]
    async with serving(tools=HOLDING) as client, ClientSession() as leaving:
        headers = {**client.server.bearer(client.tenant), "X-Request-Id": "the-call"}
        streams = []
        for path in paths:
            streams.append(await leaving.get(f"{client.server.url}{path}", headers=headers))
            await streams[-1].content.readline()
            headers.pop("X-Request-Id", None)
        open_now = await scraped(client)
        for stream in streams:
            stream.close()
        gone = await settled(client, lambda figures: not any(figures[each] for each in (*watchers, in_flight)))

    assert [open_now[each] for each in watchers] == [3, 1]
    assert open_now[in_flight] == 3
    assert gone[series("crm_mcp_calls_total", tool="hold", outcome="cancelled")] == 3
    ended = series("crm_mcp_http_requests_total", route="/v1/tools/{name}/stream", method="GET", status="gone")
    assert gone[ended] == 3


async def test_a_call_that_is_refused_before_it_begins_is_counted_and_logged_like_any_other(serving: Serving) -> None:
    async with serving(tools=HOLDING) as client:
        headers = {**client.server.bearer(client.tenant), "X-Request-Id": "the-same"}
        url = f"{client.server.url}/v1/tools/hold/stream"
        async with client.server.session.get(url, headers=headers) as running:
            await running.content.readline()
            with capture_logs(processors=[with_context]) as lines:
                async with client.server.session.get(url, headers=headers) as refused:
                    assert refused.status == 409
            figures = await scraped(client)
            running.close()

    assert figures[series("crm_mcp_calls_total", tool="hold", outcome="duplicate_request")] == 1
    assert figures[series("crm_mcp_calls_in_flight", tool="hold")] == 1
    assert [(line["tool"], line["outcome"], line["tenant"]) for line in lines] == [
        ("hold", "duplicate_request", "demo"),
    ]
