"""POST /rpc as any JSON-RPC 2.0 client sees it."""

import re
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from handlers import CATALOG
from tests.wire.client import Client, request
from tests.wire.conftest import Serving
from tests.wire.probes import Probes

pytestmark = pytest.mark.asyncio(loop_scope="session")

HEAR = {"name": "hear", "arguments": {"word": "olá"}}


def codes(answer: Any) -> Any:
    """Return an answer with an error's code in place of its words, which are the server's own."""
    if isinstance(answer, list):
        return [codes(member) for member in answer]
    error = answer.get("error")
    return (answer["id"], error["code"]) if error else (answer["id"], "result")


async def test_a_request_is_answered_under_its_id(client: Client) -> None:
    answer = await client.rpc(request("tools/list", id="eu"))

    assert answer.status == 200
    assert {**answer.json, "result": None} == {"jsonrpc": "2.0", "result": None, "id": "eu"}
    assert [tool["name"] for tool in answer.result["tools"]] == list(CATALOG)


@pytest.mark.parametrize(
    "id", ["0", '""', "-1", "null", "18446744073709551616", "1.50", "1e2", '"é"', f'"{"x" * 256}"']
)
async def test_an_id_comes_back_as_it_was_sent(client: Client, id: str) -> None:
    body = f'{{"jsonrpc":"2.0","method":"tools/list","id":{id}}}'

    answer = await client.rpc(body.encode(), permissions=())

    assert answer.body.endswith(f'"id":{id}}}'.encode())


@pytest.mark.parametrize("id", ["true", "[]", "{}", f'"{"x" * 257}"'])
async def test_what_is_no_id_is_an_invalid_request(client: Client, id: str) -> None:
    answer = await client.rpc(f'{{"jsonrpc":"2.0","method":"tools/list","id":{id}}}'.encode())

    assert codes(answer.json) == (None, -32600)


async def test_a_notification_is_executed_and_gets_204(serving: Serving) -> None:
    probes = Probes()
    async with serving(tools=probes.tools) as client:
        answer = await client.rpc(request("tools/call", HEAR, id=...))

    assert answer.status == 204
    assert probes.words == ["olá"]


@pytest.mark.parametrize(
    ("method", "params"),
    [("no/such", {}), ("tools/call", {"name": "stumble"}), ("tools/call", {"name": "nobody"}), ("tools/call", {})],
)
async def test_a_notification_that_fails_gets_204_too(serving: Serving, method: str, params: Any) -> None:
    async with serving(tools=Probes().tools) as client:
        assert (await client.rpc(request(method, params, id=...))).status == 204


async def test_a_refused_notification_does_nothing_and_gets_204(serving: Serving) -> None:
    probes = Probes()
    async with serving(tools=probes.tools) as client:
        answer = await client.rpc(request("tools/call", HEAR, id=...), permissions=("probes.see",))

    assert (answer.status, probes.words) == (204, [])


# Section 7 of https://www.jsonrpc.org/specification, with this server's methods.
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(
            '{"jsonrpc": "2.0", "method": "tools/call", "params": ["get_leads_count", {"period": "all"}], "id": 1}',
            (1, "result"),
            id="params by position",
        ),
        pytest.param(
            '{"jsonrpc": "2.0", "method": "tools/call", "params": {"arguments": {}, "name": "list_agents"}, "id": 3}',
            (3, "result"),
            id="params by name, in any order",
        ),
        pytest.param('{"jsonrpc": "2.0", "method": "foobar", "id": "1"}', ("1", -32601), id="non-existent method"),
        pytest.param('{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]', (None, -32700), id="invalid JSON"),
        pytest.param('{"jsonrpc": "2.0", "method": 1, "params": "bar"}', (None, -32600), id="invalid request"),
        pytest.param(
            '[{"jsonrpc": "2.0", "method": "tools/list", "id": "1"}, {"jsonrpc"', (None, -32700), id="cut off"
        ),
        pytest.param("[]", (None, -32600), id="empty array"),
        pytest.param("[1]", [(None, -32600)], id="invalid but not empty"),
        pytest.param("[1,2,3]", [(None, -32600)] * 3, id="invalid batch"),
        pytest.param(
            """[
                {"jsonrpc": "2.0", "method": "tools/list", "params": [], "id": "1"},
                {"jsonrpc": "2.0", "method": "tools/list"},
                {"jsonrpc": "2.0", "method": "tools/call", "params": ["list_agents"], "id": "2"},
                {"foo": "boo"},
                {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},
                {"jsonrpc": "2.0", "method": "tools/list", "id": 9}
            ]""",
            [("1", "result"), ("2", "result"), (None, -32600), ("5", -32601), (9, "result")],
            id="mixed batch",
        ),
    ],
)
async def test_the_examples_of_the_specification_hold(client: Client, body: str, expected: Any) -> None:
    answer = await client.rpc(body.encode())

    assert answer.status == 200
    assert codes(answer.json) == expected


async def test_a_batch_of_notifications_gets_204(serving: Serving) -> None:
    probes = Probes()
    async with serving(tools=probes.tools) as client:
        answer = await client.rpc([request("tools/call", HEAR, id=...)] * 2)

    assert (answer.status, probes.words) == (204, ["olá", "olá"])


async def test_a_batch_may_hold_as_many_members_as_set_and_no_more(serving: Serving) -> None:
    async with serving(max_batch=3) as client:
        most, more = await client.rpc([request("tools/list")] * 3), await client.rpc([request("tools/list")] * 4)

    assert codes(most.json) == [(1, "result")] * 3
    assert codes(more.json) == (None, -32600)
    assert "at most 3 members; this one holds 4" in more.json["error"]["message"]


async def test_an_unknown_tool_is_an_invalid_param_that_names_the_known_ones(client: Client) -> None:
    answer = await client.call("get_lead_count")

    assert (answer.status, answer.json["error"]["code"]) == (200, -32602)
    assert answer.json["error"]["data"] == {"tools": list(CATALOG)}


@pytest.mark.parametrize(
    "params", [{}, {"arguments": {}}, {"name": None}, {"name": 1}, {"name": "x", "more": 1}, [], "x"]
)
async def test_a_call_that_names_no_tool_is_a_fault_of_the_request(client: Client, params: Any) -> None:
    assert codes((await client.rpc(request("tools/call", params))).json)[1] in (-32602, -32600)


async def test_a_cursor_is_refused_because_the_list_has_one_page(client: Client) -> None:
    assert codes((await client.rpc(request("tools/list", {"cursor": "2"}))).json) == (1, -32602)


async def test_only_tools_that_the_caller_may_call_are_listed(client: Client) -> None:
    async def listed(*permissions: str) -> list[str]:
        answer = await client.rpc(request("tools/list"), permissions=permissions)
        return [tool["name"] for tool in answer.result["tools"]]

    assert await listed() == []
    assert await listed("members.view", "pipelines.*") == ["list_agents", "list_pipelines"]
    assert await listed("*") == list(CATALOG)


async def test_a_list_tells_all_that_a_client_needs(client: Client) -> None:
    for tool in (await client.rpc(request("tools/list"))).result["tools"]:
        assert set(tool) == {"name", "title", "description", "inputSchema", "outputSchema", "annotations"}
        for schema in (tool["inputSchema"], tool["outputSchema"]):
            Draft202012Validator.check_schema(schema)
            assert schema["type"] == "object"
            assert schema["additionalProperties"] is False


async def ids(client: Client) -> dict[str, Any]:
    contacts = (await client.execute("find_contacts", {"limit": 1})).json["result"]["contacts"]
    agents = (await client.execute("list_agents", {"type": "human", "active": True})).json["result"]["agents"]
    pipeline = (await client.execute("list_pipelines", {})).json["result"]["pipelines"][0]
    return {
        "contact_id": contacts[0]["contact_id"],
        "agent_id": agents[0]["agent_id"],
        "agent_ids": [agent["agent_id"] for agent in agents[:3]],
        "pipeline_id": pipeline["pipeline_id"],
        "stage_id": pipeline["stages"][0]["stage_id"],
    }


CALLS: dict[str, list[dict[str, Any]]] = {
    "get_leads_count": [{"period": "month", "series": "day"}, {"period": "all", "status": "qualified"}],
    "get_agent_conversion_stats": [{}, {"start_date": "2026-01-01", "end_date": "2026-11-18"}],
    "get_top_performing_agent": [
        {"metric": metric, "period": "custom", "start_date": "2026-01-01", "end_date": "2026-11-18"}
        for metric in ("conversion_rate", "win_rate", "response_time", "satisfaction", "resolution_rate")
    ],
    "analyze_agent_messages": [
        {"agent_id": ...},
        {"agent_id": ..., "start_date": "2026-01-01", "end_date": "2026-11-18", "sample_size": 20},
    ],
    "compare_agents": [{"agent_ids": ..., "start_date": "2026-01-01", "end_date": "2026-11-18"}],
    "find_contacts": [{}, {"limit": 3}, {"query": "nobody is called so"}],
    "get_contact": [{"contact_id": ...}],
    "qualify_lead": [{"contact_id": ..., "status": "qualified", "bant_scores": {"need": 7}, "dry_run": True}],
    "update_pipeline_stage": [{"contact_id": ..., "pipeline_id": ..., "stage_id": ..., "dry_run": True}],
    "assign_to_agent": [{"contact_id": ..., "agent_id": ..., "priority": "low", "dry_run": True}],
    "list_agents": [{}],
    "list_pipelines": [{}],
}


@pytest.mark.parametrize("tool", CATALOG.values(), ids=CATALOG)
async def test_a_result_fits_its_schema_and_stands_in_words_too(client: Client, tool: Any) -> None:
    known = await ids(client)
    for given in CALLS[tool.name]:
        arguments = {name: known[name] if value is ... else value for name, value in given.items()}
        result = (await client.call(tool.name, arguments)).result

        cached = {"_meta"} if tool.cache_seconds else set()
        assert set(result) == {"content", "structuredContent", "isError"} | cached
        assert result["isError"] is False
        assert [set(part) for part in result["content"]] == [{"type", "text"}]
        assert result["content"][0]["text"]
        Draft202012Validator(tool.output_schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(
            result["structuredContent"]
        )
        Draft202012Validator(tool.input_schema).validate(arguments)


async def test_an_empty_tenants_results_fit_their_schemas(client: Client) -> None:
    nobody = Client(client.server, tenant="nobody")
    for name, calls in CALLS.items():
        for arguments in calls:
            if ... not in arguments.values():
                result = (await nobody.call(name, arguments)).result
                Draft202012Validator(CATALOG[name].output_schema).validate(result["structuredContent"])


async def test_what_is_wrong_in_a_call_is_a_result_that_a_model_can_act_on(client: Client) -> None:
    answer = await client.call("get_leads_count", {"period": "decade"})
    result = answer.result

    assert (answer.status, result["isError"]) == (200, True)
    assert result["structuredContent"]["code"] == "invalid_arguments"
    assert result["structuredContent"]["fields"][0]["allowed"][:2] == ["today", "yesterday"]
    assert result["content"][0]["text"].startswith("invalid_arguments: ")
    assert "period: is 'decade'; allowed: today, " in result["content"][0]["text"]


async def test_another_tenants_contact_is_not_found_in_the_same_words_as_nobodys(client: Client) -> None:
    known = (await ids(client))["contact_id"]
    nobodys = "00000000-0000-4000-8000-000000000000"
    stranger = Client(client.server, tenant="stranger")

    foreign, absent = [
        (await stranger.call("get_contact", {"contact_id": id})).result["structuredContent"] for id in (known, nobodys)
    ]

    assert foreign["code"] == absent["code"] == "not_found"
    assert foreign["message"].replace(known, nobodys) == absent["message"]


async def test_what_nobody_foresaw_is_told_by_an_incident_only(serving: Serving) -> None:
    async with serving(tools=Probes().tools) as client:
        result = (await client.call("stumble", {"word": "segredo"})).result

    assert result["isError"] is True
    assert set(result["structuredContent"]) == {"code", "message", "incident"}
    assert result["structuredContent"]["code"] == "internal"
    assert b"segredo" not in orjson.dumps(result)


async def test_a_single_refused_call_is_403_with_the_scope_it_needs(client: Client) -> None:
    answer = await client.call("get_leads_count", {"period": "decade"}, permissions=("members.view",))
    refused = answer.result["structuredContent"]

    assert answer.status == 403
    assert answer.headers["WWW-Authenticate"] == (
        'Bearer realm="crm-mcp", error="insufficient_scope", scope="analytics.view"'
    )
    assert (refused["code"], refused["missing"]) == ("permission_denied", ["analytics.view"])
    assert (answer.result["isError"], answer.json["id"]) == (True, 1)
    # A stranger learns nothing of the tool's arguments.
    assert "period" not in answer.body.decode()


async def test_a_refused_member_of_a_batch_is_its_own_error_and_not_the_batchs(client: Client) -> None:
    answer = await client.rpc(
        [
            request("tools/call", {"name": "list_pipelines"}, id=1),
            request("tools/call", {"name": "list_agents"}, id=2),
        ],
        permissions=("members.view",),
    )

    assert answer.status == 200
    assert "WWW-Authenticate" not in answer.headers
    assert [(member["id"], member["result"]["isError"]) for member in answer.json] == [(1, True), (2, False)]


@pytest.mark.parametrize("sane", ["1", "a.b_c:d-E", "x" * 128])
async def test_a_sane_request_id_is_kept(client: Client, sane: str) -> None:
    answer = await client.rpc(request("tools/list"), headers={"X-Request-Id": sane})

    assert answer.headers["X-Request-Id"] == sane


@pytest.mark.parametrize("insane", ["", "x" * 129, "a b", "é", "a/b", 'a"b', "<script>"])
async def test_any_other_request_id_is_replaced(client: Client, insane: str) -> None:
    answer = await client.rpc(b"not JSON", headers={"X-Request-Id": insane})

    assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-Id"])
