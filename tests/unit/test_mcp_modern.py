"""MCP 2026-07-28: the ladder of refusals, rung by rung and in its order, without HTTP."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from rpc_server.protocol import mcp_modern
from rpc_server.protocol.errors import Refusal
from rpc_server.protocol.jsonrpc import Fault, Parsed, Request
from rpc_server.protocol.mcp_headers import MirroredArgument
from rpc_server.protocol.mcp_message import parse
from rpc_server.protocol.mcp_modern import Envelope, judge, judge_notification
from rpc_server.protocol.server_info import ServerInfo
from rpc_server.protocol.versions import SUPPORTED

VERSION = "2026-07-28"
META = {mcp_modern.PROTOCOL_VERSION: VERSION, mcp_modern.CLIENT_CAPABILITIES: {}}
METHODS = ["server/discover", "tools/list", "tools/call"]
MIRRORED = {"ask": [MirroredArgument("Mcp-Param-Region", ("region",), "string")]}
INFO = ServerInfo("a-server", "A server", "1.2.3", "Ask politely.")


def sent(method: str = "tools/list", params: dict[str, Any] | None = None, **meta: Any) -> Request:
    """Return a request whose envelope is right but for *meta*; `...` takes a member out."""
    merged = {**META, **{f"io.modelcontextprotocol/{name}": value for name, value in meta.items()}}
    return Request(method, {**(params or {}), "_meta": {k: v for k, v in merged.items() if v is not ...}}, 1)


def headers(method: str | None = "tools/list", name: str | None = None, **changed: str | None) -> CIMultiDict[str]:
    """Return headers that fit; None takes one out."""
    values = {"MCP-Protocol-Version": VERSION, "Mcp-Method": method, "Mcp-Name": name}
    values |= {key.replace("_", "-"): value for key, value in changed.items()}
    return CIMultiDict({key: value for key, value in values.items() if value is not None})


def judged(request: Request, given: CIMultiDict[str]) -> Envelope:
    return judge(given, request, methods=METHODS, mirrored=MIRRORED)


def refusal(request: Request, given: CIMultiDict[str]) -> Refusal:
    with pytest.raises(Refusal) as caught:
        judged(request, given)
    return caught.value


def test_a_proper_request_says_all_about_itself() -> None:
    request = sent("tools/call", {"name": "ask", "arguments": {"region": "eu"}}, logLevel="info", clientInfo={})
    request.params["_meta"]["progressToken"] = 0  # type: ignore[call-overload]

    envelope = judged(request, headers("tools/call", "ask", Mcp_Param_Region="eu"))

    assert (envelope.progress_token, envelope.log_level, envelope.capabilities) == (0, "info", {})


def test_who_the_client_is_need_not_be_said() -> None:
    assert judged(sent(), headers()).log_level is None


# Each rung: what is wrong with a request that is else fit, its code and its HTTP status, in the ladder's order.
CALL = {"name": "ask", "arguments": {"region": "eu"}}
RUNGS = [
    ("a routing header twice", "repeat", -32020, 400),
    ("no envelope", "no meta", -32602, 400),
    ("header unlike the body", "other method", -32020, 400),
    ("a version nobody serves", "version", -32022, 400),
    ("an argument's header is missing", "param", -32020, 400),
    ("an unknown method", "method", -32601, 404),
    ("params that do not fit", "arguments", -32602, 400),
]


def broken(faults: set[str]) -> tuple[Request, CIMultiDict[str]]:
    """Return a call of a tool with these faults at once."""
    method = "tools/call"
    params: dict[str, Any] = {"name": "ask", "arguments": {"region": "eu"}}
    version = "2099-01-01" if "version" in faults else VERSION
    if "arguments" in faults:
        params["arguments"] = ["eu"]
    if "method" in faults:
        method = "no/such"
    request = sent(method, params, protocolVersion=version)
    if "no meta" in faults:
        request = Request(method, params, 1)
    given = headers(method, "ask", MCP_Protocol_Version=version)
    if "param" not in faults and "arguments" not in faults:
        given["Mcp-Param-Region"] = "eu"
    if "other method" in faults:
        given["Mcp-Method"] = "tools/list"
    if "repeat" in faults:
        given.add("Mcp-Method", method)
    return request, given


@pytest.mark.parametrize(("what", "fault", "code", "status"), RUNGS)
def test_each_rung_has_its_code_and_its_status(what: str, fault: str, code: int, status: int) -> None:
    found = refusal(*broken({fault}))

    assert (found.code, found.status) == (code, status), what


# The headers of arguments belong to tools/call alone, so an unknown method cannot fail that rung as well.
@pytest.mark.parametrize(
    ("first", "second"),
    [
        (RUNGS[i], RUNGS[j])
        for i in range(len(RUNGS))
        for j in range(i + 1, len(RUNGS))
        if {RUNGS[i][1], RUNGS[j][1]} not in ({"param", "method"}, {"param", "arguments"})
    ],
)
def test_of_two_faults_the_one_on_the_earlier_rung_is_told(
    first: tuple[str, str, int, int], second: tuple[str, str, int, int]
) -> None:
    alone = refusal(*broken({first[1]}))

    both = refusal(*broken({first[1], second[1]}))

    assert (both.code, both.message) == (alone.code, alone.message)


@pytest.mark.parametrize("version", ["2099-01-01", "2025-11-25", "", "x" * 500])
def test_a_version_that_is_not_served_is_told_which_are(version: str) -> None:
    found = refusal(sent(protocolVersion=version), headers(MCP_Protocol_Version=version))

    assert (found.code, found.status) == (-32022, 400)
    assert found.data == {"supported": SUPPORTED, "requested": version[:100]}


def test_a_version_in_a_header_that_is_no_text_can_be_told_of() -> None:
    with pytest.raises(Refusal) as caught:
        judge_notification(headers(MCP_Protocol_Version="2025\udcff"))

    assert caught.value.data == {"supported": SUPPORTED, "requested": "2025?"}


@pytest.mark.parametrize(
    "meta",
    [
        {"protocolVersion": ...},
        {"protocolVersion": 2026},
        {"clientCapabilities": ...},
        {"clientCapabilities": []},
        {"clientInfo": "me"},
        {"logLevel": "loud"},
        {"logLevel": []},
    ],
)
def test_an_envelope_that_lacks_something_is_refused(meta: dict[str, Any]) -> None:
    found = refusal(sent(**meta), headers())

    assert (found.code, found.status) == (-32602, 400)
    assert str(next(iter(meta))) in found.message


@pytest.mark.parametrize("token", [1.5, True, [], {}, "x" * 257])
def test_a_progress_token_is_a_string_or_an_integer(token: Any) -> None:
    request = sent()
    request.params["_meta"]["progressToken"] = token  # type: ignore[call-overload]

    assert refusal(request, headers()).code == -32602


@pytest.mark.parametrize(
    "changed",
    [
        {"MCP_Protocol_Version": None},
        {"MCP_Protocol_Version": "2025-11-25"},
        {"Mcp_Method": None},
        {"Mcp_Method": "TOOLS/LIST"},
        {"Mcp_Method": ""},
    ],
)
def test_a_header_that_is_missing_or_differs_is_a_mismatch(changed: dict[str, str | None]) -> None:
    assert refusal(sent(), headers(**changed)).code == -32020


def test_names_of_headers_know_no_case_and_blanks_around_a_value_do_not_count() -> None:
    given = CIMultiDict({"mcp-protocol-version": f" {VERSION}\t", "MCP-METHOD": "  tools/list "})

    assert judged(sent(), given).params


@pytest.mark.parametrize("params", [{"name": 1}, {}, {"name": "ask", "arguments": "eu"}, {"name": None}])
def test_a_call_whose_params_do_not_fit_is_refused(params: dict[str, Any]) -> None:
    request = sent("tools/call", params)

    assert refusal(request, headers("tools/call", "ask")).code == -32602


@pytest.mark.parametrize("cursor", ["", "MQ==", 1, {}])
def test_no_cursor_was_ever_given_out(cursor: Any) -> None:
    assert refusal(sent(params={"cursor": cursor}), headers()).code == -32602


@pytest.mark.parametrize(
    "method", ["initialize", "ping", "logging/setLevel", "resources/subscribe", "subscriptions/listen", "Tools/List"]
)
def test_removed_and_unknown_methods_are_not_found(method: str) -> None:
    found = refusal(sent(method), headers(method))

    assert (found.code, found.status) == (-32601, 404)
    assert found.data == {"methods": sorted(METHODS)}


# --- which era ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "body", "expected"),
    [
        (VERSION, {"method": "ping"}, True),
        ("1999-01-01", {"method": "ping"}, True),
        ("2024-11-05", {"method": "ping"}, True),
        ("2025-11-25", {"method": "tools/list", "params": {"_meta": META}}, False),
        (None, {"method": "tools/list"}, False),
        (None, {"method": "initialize"}, False),
        (None, {"method": "tools/list", "params": {"_meta": META}}, True),
        (None, {"method": "server/discover"}, True),
        (None, {"method": "tools/list", "params": [1]}, False),
    ],
)
def test_the_era_follows_from_the_header_else_from_the_envelope(
    version: str | None, body: dict[str, Any], expected: bool
) -> None:
    parsed = parse(json.dumps({"jsonrpc": "2.0", "id": 1, **body}).encode(), max_batch=5, max_depth=8)

    assert mcp_modern.is_meant(headers(MCP_Protocol_Version=version), parsed) is expected


def test_a_batch_is_refused_and_so_is_what_is_no_request() -> None:
    for parsed in (Parsed((sent(),), is_batch=True), Parsed((Fault(-32700, "no"),), is_batch=False)):
        with pytest.raises(Refusal):
            mcp_modern.single_request(parsed)


# --- results ------------------------------------------------------------------------------------


def test_every_result_is_complete_and_signed() -> None:
    assert mcp_modern.completed(INFO, {"content": [], "_meta": {"own": 1}}) == {
        "content": [],
        "resultType": "complete",
        "_meta": {
            "own": 1,
            "io.modelcontextprotocol/serverInfo": {"name": "a-server", "title": "A server", "version": "1.2.3"},
        },
    }


def test_discovery_names_versions_capabilities_and_how_long_to_keep_them() -> None:
    found = mcp_modern.discovery(INFO)

    assert found["supportedVersions"][0] == VERSION
    assert found["capabilities"] == {"tools": {}}
    assert (found["instructions"], found["cacheScope"]) == ("Ask politely.", "private")
    assert found["ttlMs"] > 0
    assert "serverInfo" not in found


def test_lists_are_private_because_they_depend_on_the_token() -> None:
    found = mcp_modern.listing(INFO, {"tools": []})

    assert (found["cacheScope"], found["resultType"]) == ("private", "complete")


# --- anything -----------------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
meta_values = st.dictionaries(st.sampled_from([*META, mcp_modern.LOG_LEVEL, "progressToken"]), json_values)
headers_sent = st.lists(
    st.tuples(
        st.sampled_from(["MCP-Protocol-Version", "Mcp-Method", "mcp-name", "Mcp-Param-Region"]),
        st.sampled_from([VERSION, "tools/call", "tools/list", "ask", "=?base64?YXNr?=", "=?base64?!?="]) | st.text(),
    )
)


@given(
    method=st.sampled_from(METHODS) | st.text(),
    params=st.fixed_dictionaries({}, optional={"_meta": meta_values | json_values, "name": json_values}),
    arguments=json_values,
    given_headers=headers_sent,
)
def test_nothing_but_a_refusal_escapes(
    method: str, params: dict[str, Any], arguments: Any, given_headers: list[tuple[str, str]]
) -> None:
    request = Request(method, {**params, "arguments": arguments}, 1)
    found: Envelope | Refusal
    try:
        found = judged(request, CIMultiDict(given_headers))
    except Refusal as refusal:
        found = refusal

    assert isinstance(found, Envelope) or found.status in (400, 404)


@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_judged(body: bytes) -> None:
    for member in parse(body, max_batch=5, max_depth=8).members:
        assert isinstance(member, Request | Fault)
