"""What is fuzzed: a request as a text that mutates well, the seeds to begin with, and mutations that know JSON.

An input is a request line without its version, header lines, an empty line and a body. $S0 to $S2 in
a header stand for a session of each version that has them; other things that chance never finds,
such as ids of the tenant, stand in the seeds.
"""

import json
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from handlers import CATALOG
from rpc_server.protocol.versions import VERSIONS

SESSION_VERSIONS: Final = tuple(version.name for version in VERSIONS.values() if not version.is_stateless)
_MODERN: Final = "2026-07-28"
_META: Final = "io.modelcontextprotocol/"
_JSON: Final = "Content-Type: application/json"
_BOTH: Final = "Accept: application/json, text/event-stream"
_OURS: Final = ("connection", "content-length", "transfer-encoding")
_MOST_BYTES: Final = 16_384


def raw_request(data: bytes, held: Mapping[str, str]) -> bytes:
    """Return the bytes of the request that *data* describes; *held* is what $NAMES stand for."""
    head, _, body = data.partition(b"\n\n")
    line, *headers = head.split(b"\n")
    kept = [header for header in headers if header.partition(b":")[0].strip().decode("latin-1").lower() not in _OURS]
    if not any(header.lower().startswith(b"authorization") for header in kept):
        kept.append(b"Authorization: Bearer $TOKEN")
    for name, value in held.items():
        kept = [header.replace(name.encode(), value.encode()) for header in kept]
    ours = [b"Host: localhost", b"Connection: close", b"Content-Length: %d" % len(body)]
    return b"\r\n".join([line[:2000] + b" HTTP/1.1", *ours, *kept, b"", body])


def seeds(ids: Mapping[str, str]) -> list[bytes]:
    """Return a request of each kind: each method and each tool in each version, and what surrounds them."""
    return [seed.encode() for seed in (*_modern(ids), *_legacy(ids), *_plain(ids), *_rest(ids))]


def _calls(ids: Mapping[str, str]) -> list[tuple[str, dict[str, Any]]]:
    dates = {"start_date": "2026-01-01", "end_date": "2026-02-01"}
    moved = {"contact_id": ids["contact"]}
    write = {"idempotency_key": "k", "dry_run": True, "expected_version": 1}
    return [
        ("get_leads_count", {"period": "custom", **dates, "status": "all", "series": "day"}),
        ("get_agent_conversion_stats", {**dates, "agent_ids": [ids["agent"]], "conversion_window_days": 30}),
        ("get_top_performing_agent", {"metric": "response_time", "period": "month"}),
        ("analyze_agent_messages", {"agent_id": ids["agent"], "sample_size": 3}),
        ("compare_agents", {"agent_ids": [ids["agent"], ids["other"]], "include_quality": False}),
        ("find_contacts", {"query": "silva", "status": "qualified", "limit": 5, "cursor": "x"}),
        ("get_contact", {"contact_id": ids["contact"]}),
        ("list_agents", {"type": "human", "active": True}),
        ("list_pipelines", {}),
        ("qualify_lead", {"contact_id": ids["contact"], "status": "qualified", "reason": "é\u0301", **write}),
        ("qualify_lead", {"contact_id": ids["contact"], "status": "unqualified", "bant_scores": {"budget": 3}}),
        ("update_pipeline_stage", {**moved, "pipeline_id": ids["pipeline"], "stage_id": ids["stage"]}),
        ("assign_to_agent", {"contact_id": ids["contact"], "agent_id": ids["agent"], "priority": "high", "notes": "n"}),
        ("get_everything", {"x": [1, 2.5, None, True, {"y": "\ud83d\ude00"}]}),
    ]


def _modern(ids: Mapping[str, str]) -> list[str]:
    meta = {
        f"{_META}protocolVersion": _MODERN,
        f"{_META}clientCapabilities": {"sampling": {}},
        f"{_META}clientInfo": {"name": "f", "version": "1"},
        f"{_META}logLevel": "info",
        "progressToken": "p",
    }
    asked: list[tuple[str, dict[str, Any]]] = [
        ("server/discover", {}),
        ("tools/list", {}),
        ("tools/list", {"cursor": "c"}),
        ("initialize", {}),
    ]
    asked += [("tools/list", {"cursor": "c"}), ("ping", {})]
    asked += [("tools/call", {"name": name, "arguments": arguments}) for name, arguments in _calls(ids)]
    seeds = []
    for method, params in asked:
        headers = [_JSON, _BOTH, f"MCP-Protocol-Version: {_MODERN}", f"Mcp-Method: {method}"]
        headers += [f"Mcp-Name: {params['name']}"] if "name" in params else []
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}
        seeds.append(_request("POST /mcp", headers, message))
    packed = [_JSON, _BOTH, f"MCP-Protocol-Version: {_MODERN}", "Mcp-Method: tools/call", "Mcp-Name: =?base64?YQ==?="]
    named = {"jsonrpc": "2.0", "id": "a", "method": "tools/call", "params": {"name": "a", "_meta": meta}}
    return [*seeds, _request("POST /mcp", packed, named)]


def _legacy(ids: Mapping[str, str]) -> list[str]:
    seeds = []
    for number, version in enumerate(SESSION_VERSIONS):
        hello = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "f", "version": "1"}}
        seeds.append(_request("POST /mcp", [_JSON, _BOTH], _message("initialize", hello)))
        headers = [_JSON, _BOTH, f"Mcp-Session-Id: $S{number}", f"MCP-Protocol-Version: {version}"]
        asked: list[tuple[str, dict[str, Any]]] = [("ping", {}), ("tools/list", {}), ("notifications/initialized", {})]
        asked += [("notifications/cancelled", {"requestId": 7}), ("logging/setLevel", {"level": "info"})]
        for name, arguments in _calls(ids)[number::3]:
            asked.append(("tools/call", {"name": name, "arguments": arguments, "_meta": {"progressToken": 3}}))
        seeds += [_request("POST /mcp", headers, _message(method, params)) for method, params in asked]
        batch = [_message("ping", {}), _message("tools/list", {}), {"jsonrpc": "2.0", "id": 9, "result": {}}]
        seeds.append(_request("POST /mcp", headers, batch))
        seeds.append(_request("GET /mcp", [*headers[1:], "Last-Event-ID: 0011223344556677-1"]))
    return [*seeds, _request("GET /mcp", [_BOTH]), _request("DELETE /mcp", ["Mcp-Session-Id: x"])]


def _plain(ids: Mapping[str, str]) -> list[str]:
    calls = [_message("tools/call", {"name": name, "arguments": arguments}) for name, arguments in _calls(ids)]
    batch = [*calls[:2], {"jsonrpc": "2.0", "method": "tools/list"}, 1, _message("tools/list", {"cursor": None})]
    weak = [_JSON, "Authorization: Bearer $WEAK", "X-Request-Id: r1", "Origin: http://localhost:3000"]
    return [*(_request("POST /rpc", [_JSON], call) for call in (*calls, batch)), _request("POST /rpc", weak, calls[7])]


def _rest(ids: Mapping[str, str]) -> list[str]:
    execute = {"tool_name": "get_leads_count", "arguments": {"period": "today"}}
    query = f"agent_ids={ids['agent']},{ids['other']}&include_quality=false"
    preflight = ["Origin: http://localhost", "Access-Control-Request-Method: POST"]
    return [
        _request("POST /v1/tools/execute", [_JSON], execute),
        _request(f"GET /v1/tools/compare_agents/stream?{query}", []),
        _request("GET /v1/tools/list", []),
        _request("GET /progress/r1", []),
        _request("OPTIONS /mcp", [*preflight, "Access-Control-Request-Headers: mcp-param-x, authorization"]),
    ]


def _message(method: str, params: dict[str, Any]) -> dict[str, Any]:
    is_notification = method.startswith("notifications/")
    return {"jsonrpc": "2.0", **({} if is_notification else {"id": 1}), "method": method, "params": params}


def _request(line: str, headers: Sequence[str], message: Any = None) -> str:
    body = "" if message is None else json.dumps(message)
    return "\n".join([line, *headers, "", body])


def mutated(data: bytes, mutate: Callable[[bytes], bytes], chance: random.Random) -> bytes:
    """Return *data* a little changed: two times of three the JSON of its body, so that it stays JSON; else any byte."""
    head, _, body = data.partition(b"\n\n")
    kind = chance.randrange(6)
    if kind == 0:
        head = _with_other_header(head, chance)
    elif kind <= 4:
        try:
            document = json.loads(body)
            for _ in range(chance.choice([1, 1, 1, 2, 4])):
                document = _changed(document, chance)
            body = json.dumps(document, ensure_ascii=chance.random() < 0.8).encode("utf-8", "surrogatepass")
        except (ArithmeticError, ValueError, RecursionError):
            kind = 5
    if kind == 5:
        return mutate(data)[:_MOST_BYTES]
    return (head + b"\n\n" + body)[:_MOST_BYTES]


def _with_other_header(head: bytes, chance: random.Random) -> bytes:
    lines = head.split(b"\n")
    place = chance.randrange(len(lines))
    if chance.random() < 0.3 and place:
        del lines[place]
    else:
        lines.insert(max(place, 1), chance.choice(HEADERS).encode())
    return b"\n".join(lines)


def _changed(node: Any, chance: random.Random) -> Any:
    """Return *node* with one thing in it replaced, taken out, added or packed up."""
    if isinstance(node, dict | list) and node and chance.random() < 0.8:
        where: list[Any] = list(node) if isinstance(node, dict) else list(range(len(node)))
        place = chance.choice(where)
        copy: Any = dict(node) if isinstance(node, dict) else list(node)
        if chance.random() < 0.1:
            del copy[place]
        else:
            copy[place] = _changed(node[place], chance)
        return copy
    match chance.randrange(8):
        case 0 if isinstance(node, dict):
            return {**node, chance.choice(NAMES): chance.choice(VALUES)}
        case 1 if isinstance(node, str):
            place = chance.randrange(len(node) + 1)
            return node[:place] + chance.choice(PIECES) + node[place + chance.randrange(2) :]
        case 2 if isinstance(node, int | float):
            return node + chance.choice([1, -1, 0.5, 2**31, 2**63, -(2**63)])
        case 3:
            return [node] * chance.choice([0, 1, 2, 60])
        case 4:
            return {chance.choice(NAMES): node}
        case _:
            return chance.choice(VALUES)


PIECES: Final = [
    *("\x00", "\ud800", "\u202e", "é", "😀", "%", "'", '"', "\\", "\n", " ", "-", "0", "$1", "{", "/"),
    "A" * 300,
]
VALUES: Final[list[Any]] = [
    *(None, True, False, 0, -1, 1, 0.0, 1.5, -0.0, 1e308, 2**31, 2**53, 2**63, 2**64, 10**400, "", "a", [], {}, [[]]),
    *("\x00", "\ud800", "A" * 5000, "null", "0", "1", "2.0", "info", "debug", "*", "../..", "NaN"),
    *("0001-01-01", "9999-12-31", "2024-02-30", "2026-11-01", "10000-01-01", "2026-1-1", "2026-11-01T00:00:00Z"),
    *("custom", "today", "all", "qualified", "month", "conversion_rate", "satisfaction", "urn:uuid:" + "0" * 32),
    *("00000000-0000-0000-0000-000000000000", {"a": {"b": {"c": [1]}}}, [None], [0] * 100, ["a", "a"]),
    *(version for version in VERSIONS),
    *("tools/call", "tools/list", "ping", "initialize", "server/discover", "logging/setLevel", "prompts/list"),
    *CATALOG,
]
NAMES: Final = [
    *("jsonrpc", "id", "method", "params", "_meta", "name", "arguments", "cursor", "progressToken", "level"),
    *("requestId", "result", "error", "", "\x00", "__proto__", "self", "context", "call", "period", "status"),
    *("start_date", "end_date", "agent_ids", "idempotency_key", "dry_run", "expected_version", "limit", "query"),
    *(f"{_META}{name}" for name in ("protocolVersion", "clientCapabilities", "clientInfo", "logLevel")),
    *("inputResponses", "requestState", "task", "traceparent"),
]
HEADERS: Final = [
    *(f"MCP-Protocol-Version: {version}" for version in (*VERSIONS, "2024-11-05", "draft", "")),
    *(f"Mcp-Session-Id: $S{number}" for number in range(3)),
    *("Mcp-Session-Id: A", "Mcp-Method: tools/call", "Mcp-Name: list_agents", "Mcp-Name: =?base64?bGlzdF9hZ2VudHM=?="),
    *("Mcp-Name: =?base64?/?=", "Mcp-Param-X: 1", "Last-Event-ID: -1", "Last-Event-ID: 0011223344556677-999999999"),
    *("Accept: */*", "Accept: text/event-stream;q=0, */*", "Content-Type: text/plain", "Content-Encoding: gzip"),
    *("Content-Type: application/json; charset=utf-16", "Authorization: Bearer $WEAK", "Authorization: Basic x"),
    *("Origin: null", "Origin: http://localhost", "Host: evil", "X-Request-Id: r1", "X-Request-Id: \xff\xfe"),
    *("Expect: 100-continue", "Idempotency-Key: k", "Traceparent: 00-" + "0" * 32 + "-" + "0" * 16 + "-00"),
    *("X-Forwarded-For: 1.2.3.4", "Range: bytes=0-1", "Upgrade: websocket", "Accept-Encoding: gzip"),
]
