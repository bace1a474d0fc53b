"""Traces as a collector gets them: from the caller's trace through the call to its statements, and nobody's data."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientSession
from structlog.testing import capture_logs

from rpc_server.backends import traces
from rpc_server.backends.traces import OtelTraces
from rpc_server.calls.log_context import with_context
from rpc_server.calls.measured_model import MeasuredModel
from rpc_server.calls.telemetry import NO_METRICS
from rpc_server.contract.model import Generated, ModelFailed
from rpc_server.contract.query import query_names
from tests.unit.test_side_figures import Scripted
from tests.wire.client import PATIENCE, Client, exchange, request
from tests.wire.conftest import Serving
from tests.wire.mcp import META, MODERN
from tests.wire.otlp import Collector, Span, collecting
from tests.wire.probes import Probes
from tests.wire.test_metrics import HOLDING

pytestmark = pytest.mark.asyncio(loop_scope="session")

THEIRS, THEIR_SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
OTHERS, OTHER_SPAN = "1bf7651916cd43dd8448eb211c80319d", "c8ad6b7169203332"
PARENT = {"traceparent": f"00-{THEIRS}-{THEIR_SPAN}-01", "tracestate": "vendor=1"}
OTHER_PARENT = {"traceparent": f"00-{OTHERS}-{OTHER_SPAN}-01"}
TOOL = {"name": "list_agents"}

Traced = Callable[..., AbstractAsyncContextManager[tuple[Client, Collector]]]


@pytest.fixture
def traced(serving: Serving) -> Traced:
    """Serve and collect; when the server has closed, every span is there."""

    @asynccontextmanager
    async def start(**changed: Any) -> AsyncIterator[tuple[Client, Collector]]:
        async with collecting() as at, serving(otel_exporter_otlp_endpoint=at.url, **changed) as client:
            yield client, at

    return start


def children(collector: Collector, span: Span) -> list[str]:
    return [each.name for each in collector.spans if each.parent == span.id]


async def test_a_call_is_a_span_under_its_request_and_over_its_statements(traced: Traced) -> None:
    async with traced() as (client, collector):
        await client.rpc(request("tools/call", TOOL, id="seven"))

    http, call = collector.only("POST /rpc"), collector.only("tools/call list_agents")
    assert (http.kind, http.parent, http.has_failed) == ("server", "", False)
    assert http.attributes == {
        "http.request.method": "POST",
        "http.route": "/rpc",
        "url.scheme": "http",
        "http.response.status_code": 200,
    }
    assert (call.kind, call.parent, call.trace, call.links) == ("server", http.id, http.trace, [])
    assert call.attributes == {
        "mcp.method.name": "tools/call",
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "list_agents",
        "jsonrpc.request.id": "seven",
        "network.transport": "tcp",
        "network.protocol.name": "http",
    }
    statements = children(collector, call)
    assert statements[0] == "begin"
    assert "directory/list_agents" in statements
    assert set(statements[1:]) <= set(query_names())
    assert collector.only("directory/list_agents").attributes == {
        "db.system.name": "postgresql",
        "db.query.summary": "directory/list_agents",
    }
    assert {each["service.name"] for each in collector.resources} == {"crm-mcp"}


async def test_a_traceparent_in_the_headers_is_the_requests_parent(traced: Traced) -> None:
    async with traced() as (client, collector):
        with capture_logs(processors=[with_context]) as lines:
            await client.execute("list_agents", headers=PARENT)

    assert {span.trace for span in collector.spans} == {THEIRS}
    http = collector.only("POST /v1/tools/execute")
    assert http.parent == THEIR_SPAN
    assert children(collector, http) == ["tools/call list_agents"]
    assert [line["trace_id"] for line in lines if line["event"] == "call"] == [THEIRS]


@pytest.mark.parametrize("headers", [{}, OTHER_PARENT])
async def test_a_traceparent_in_meta_is_the_calls_parent_and_the_request_a_link(
    traced: Traced, headers: dict[str, str]
) -> None:
    async with traced() as (client, collector):
        with capture_logs(processors=[with_context]) as lines:
            await client.rpc(request("tools/call", {**TOOL, "_meta": PARENT}), headers=headers)

    http, call = collector.only("POST /rpc"), collector.only("tools/call list_agents")
    assert (call.trace, call.parent) == (THEIRS, THEIR_SPAN)
    assert call.links == [(http.trace, http.id)]
    assert http.trace != THEIRS
    assert http.parent == (OTHER_SPAN if headers else "")
    assert collector.only("directory/list_agents").trace == THEIRS
    assert [line["trace_id"] for line in lines if line["event"] == "call"] == [THEIRS]


async def test_mcp_tells_its_version_and_takes_the_parent_out_of_meta(traced: Traced) -> None:
    meta = {f"{META}protocolVersion": MODERN, f"{META}clientCapabilities": {}, **PARENT}
    async with traced() as (client, collector):
        headers = {
            **client.server.bearer(client.tenant),
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": MODERN,
            "Mcp-Method": "tools/call",
            "Mcp-Name": "list_agents",
        }
        body = request("tools/call", {**TOOL, "arguments": {}, "_meta": meta}, id=9)
        async with client.server.session.post(f"{client.server.url}/mcp", json=body, headers=headers) as response:
            assert response.status == 200

    call = collector.only("tools/call list_agents")
    assert (call.trace, call.parent) == (THEIRS, THEIR_SPAN)
    assert call.attributes["mcp.protocol.version"] == MODERN
    assert call.attributes["jsonrpc.request.id"] == "9"
    assert call.links == [(span.trace, span.id) for span in collector.named("POST /mcp")]


@pytest.mark.parametrize(
    ("tool", "arguments", "outcome"),
    [
        ("find_contacts", {"limit": "many"}, "invalid_arguments"),
        ("get_contact", {"contact_id": "00000000-0000-4000-8000-000000000000"}, "not_found"),
    ],
)
async def test_a_call_that_failed_says_how_in_a_word(
    traced: Traced, tool: str, arguments: dict[str, Any], outcome: str
) -> None:
    async with traced() as (client, collector):
        await client.call(tool, arguments)

    call = collector.only(f"tools/call {tool}")
    assert call.has_failed
    assert call.attributes["error.type"] == "tool_error"
    assert call.attributes["crm_mcp.outcome"] == outcome
    assert not collector.only("POST /rpc").has_failed


async def test_what_nobody_foresaw_makes_a_failed_request_without_its_words(traced: Traced) -> None:
    async with traced(tools=Probes().tools) as (client, collector):
        await client.execute("stumble", {"word": "Zuleica"})

    assert collector.only("tools/call stumble").attributes["crm_mcp.outcome"] == "internal"
    http = collector.only("POST /v1/tools/execute")
    assert http.has_failed and http.attributes["error.type"] == "500"
    assert b"Zuleica" not in collector.bodies


async def test_a_call_that_was_called_off_says_so(traced: Traced) -> None:
    async with traced(tools=HOLDING) as (client, collector):
        url, headers = f"{client.server.url}/v1/tools/hold/stream", client.server.bearer(client.tenant)
        async with ClientSession() as leaving, leaving.get(url, headers=headers) as response:
            await response.content.readline()

    assert collector.only("tools/call hold").attributes["error.type"] == "CancelledError"


async def test_a_span_tells_of_nobody(traced: Traced) -> None:
    planted = ("Zuleica", "11987654321", "zuleica@example.com")
    async with traced() as (client, collector):
        stranger = Client(client.server, tenant="tenant-zuleica")
        await stranger.execute("find_contacts", {"query": planted[0]})
        await stranger.call("find_contacts", {"query": planted[1], planted[2]: 1})
        await stranger.execute(planted[0], {})
        await stranger.get(f"/progress/{planted[0]}", headers={"Last-Event-ID": "x"})
        await stranger.get(f"/{planted[0]}?email={planted[2]}")
        await stranger.rpc(request(planted[0], {}))
        bearer = client.server.bearer("tenant-zuleica", user="user-zuleica")

    assert len(collector.spans) > 8
    said = collector.bodies.lower()
    assert [word for word in (*planted, "tenant-zuleica", "user-zuleica") if word.lower().encode() in said] == []
    assert bearer["Authorization"].split(".")[1].encode() not in collector.bodies
    assert b"select" not in said and b"mcp.tenant_id" not in said


async def test_a_request_to_the_model_is_a_span_without_a_word_of_it() -> None:
    answers = Generated({"tone": "Zuleica"}, 42), ModelFailed("blocked", tokens=7)
    async with collecting() as collector, OtelTraces(f"{collector.url}/v1/traces", version="1") as sending:
        model = MeasuredModel(Scripted(*answers), NO_METRICS, sending)
        for _ in answers:
            asked = model.generate(instructions="Zuleica", content="Zuleica", schema={}, most_tokens=9, until=0)
            await asyncio.gather(asked, return_exceptions=True)

    first, second = collector.named("generate_content scripted")
    assert first.kind == "client"
    assert first.attributes == {
        "gen_ai.operation.name": "generate_content",
        "gen_ai.provider.name": "gcp.vertex_ai",
        "gen_ai.request.model": "scripted",
        "gen_ai.request.max_tokens": 9,
        "crm_mcp.tokens": 42,
    }
    assert (second.has_failed, second.attributes["error.type"], second.attributes["crm_mcp.tokens"]) == (
        True,
        "blocked",
        7,
    )
    assert b"Zuleica" not in collector.bodies


@pytest.mark.parametrize(
    "sent",
    ["", "x", f"00-{'0' * 32}-{THEIR_SPAN}-01", f"00-{THEIRS}-{'0' * 16}-01", f"ff-{THEIRS}-{THEIR_SPAN}-01", 7, ["x"]],
)
async def test_a_traceparent_that_is_none_is_passed_over(traced: Traced, sent: Any) -> None:
    async with traced() as (client, collector):
        await client.rpc(request("tools/call", {**TOOL, "_meta": {"traceparent": sent, "tracestate": sent}}))
        await client.execute("list_agents", headers={"traceparent": str(sent), "tracestate": "x" * 600})

    assert {span.parent for span in collector.spans if span.name.startswith("POST")} == {""}
    calls = collector.named("tools/call list_agents")
    assert {span.parent for span in calls} == {span.id for span in collector.spans if span.name.startswith("POST")}


async def test_probes_make_no_spans_and_strange_requests_no_names(traced: Traced) -> None:
    async with traced() as (client, collector):
        for path in ("/health", "/ready"):
            await client.get(path, permissions=None)
        async with client.server.session.get(f"{client.server.url}/metrics") as response:
            assert response.status == 200
        await client.get("/strange-path", permissions=None)
        await exchange(client.server, b"PROPFIND /strange HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")

    assert [span.name for span in collector.spans] == ["GET unmatched", "_OTHER unmatched"]


async def test_sampling_is_as_the_standard_environment_says(traced: Traced, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "another")
    async with traced() as (client, collector):
        await client.execute("list_agents", headers=PARENT)
    assert collector.spans == []

    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    async with traced() as (client, collector):
        await client.execute("list_agents", headers=PARENT)
        await client.execute("list_pipelines")
    assert {span.trace for span in collector.spans} == {THEIRS}
    assert {each["service.name"] for each in collector.resources} == {"another"}


async def test_a_collector_that_is_gone_or_hangs_holds_nobody_up(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traces, "_CLOSING_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        url = f"http://127.0.0.1:{hanging.getsockname()[1]}"
        for address in (url, "http://127.0.0.1:1"):
            async with asyncio.timeout(PATIENCE), serving(otel_exporter_otlp_endpoint=address) as client:
                assert (await client.execute("list_agents")).status == 200


async def test_without_an_endpoint_there_is_no_trace_of_tracing(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("tracing began")

    monkeypatch.setattr(OtelTraces, "__init__", refuse)
    async with serving() as client:
        with capture_logs(processors=[with_context]) as lines:
            assert (await client.execute("list_agents", headers=PARENT)).status == 200

    assert [set(line) & {"trace_id"} for line in lines] == [set()]


async def test_an_endpoint_without_the_library_is_refused_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces, "_installed", lambda: False)
    with pytest.raises(ValueError, match=r"install the extra 'otel'.*or unset it"):
        OtelTraces("http://localhost:4318/v1/traces", version="1")
