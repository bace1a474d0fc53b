"""The tenant comes from the token: nothing else that a caller can send names one, and foreign ids are unknown ids."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import orjson
import pytest

from handlers import CATALOG
from tests.conftest import Crm, Server
from tests.tenancy.conftest import A, B
from tests.tenancy.entanglement import entangle, lure
from tests.tenancy.rows import fill, foreign_marks

YEARS = {"period": "custom", "start_date": "2000-01-01", "end_date": "2100-01-01"}
QUESTIONS: dict[str, tuple[dict[str, Any], ...]] = {
    "get_leads_count": ({"period": "all", "series": "month"}, {"period": "all", "status": "qualified"}),
    "get_agent_conversion_stats": ({}, {"conversion_window_days": 1}),
    "get_top_performing_agent": tuple(
        {"metric": metric, **YEARS}
        for metric in ("conversion_rate", "win_rate", "response_time", "satisfaction", "resolution_rate")
    ),
    "analyze_agent_messages": tuple({"agent_id": str(A.id("agent", place))} for place in (0, 1)),
    "compare_agents": tuple({"agent_ids": [str(A.id("agent", place)) for place in pair]} for pair in ((0, 1), (2, 3))),
    "find_contacts": ({}, {"limit": 1}, {"query": "contact"}, {"status": "qualified"}),
    "get_contact": tuple({"contact_id": str(A.id("contact", place))} for place in range(A.contacts)),
    "list_agents": ({}, {"active": True}),
    "list_pipelines": ({},),
}
CALL = {"name": "find_contacts", "arguments": {}}


async def answers(server: Server, tenant: str) -> list[Any]:
    """Return what a tenant is told when it asks everything."""
    told = [
        (tool, arguments, (await server.execute(tool, arguments, server.bearer(tenant)))[1]["result"])
        for tool, several in QUESTIONS.items()
        for arguments in several
    ]
    for _, _, result in told:
        # The id of the request, another each time.
        result.pop("comparison_id", None)
    return told


def rpc(**members: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": CALL, **members}


# --- what others have changes nothing -----------------------------------------------------------


def test_every_tool_that_reads_is_asked() -> None:
    assert set(QUESTIONS) == {tool.name for tool in CATALOG.values() if not tool.writes}


@pytest.mark.parametrize("settings", ["its own settings", "the defaults"])
async def test_another_tenant_and_its_settings_change_no_answer(crm: Crm, server: Server, settings: str) -> None:
    """The other names this one's stages and tags in its settings, and its rows point at this one's."""
    await fill(crm.owner, A, crm.now)
    await lure(crm.owner, A, B, crm.now)
    if settings == "the defaults":
        await crm.owner.execute("delete from mcp_store.tenant_settings")
    alone = await answers(server, A.tenant)

    await fill(crm.owner, B, crm.now)
    await entangle(crm.owner, A, B, crm.now)
    theirs = {
        "won_stage_names": [f"novo_{A.mark}", f"perdido_{A.mark}"],
        "lost_stage_names": [f"ganho_{A.mark}"],
        "lead_tag": "nobody has it",
        "time_zone": "Pacific/Kiritimati",
        "business_hours": "sun 03:00-03:01",
    }
    for key, value in theirs.items():
        await crm.owner.execute(
            "insert into mcp_store.tenant_settings (tenant_id, key, value) values ($1, $2, $3) "
            "on conflict (tenant_id, key) do update set value = excluded.value",
            B.tenant,
            key,
            orjson.dumps(value).decode(),
        )

    for before, after in zip(alone, await answers(server, A.tenant), strict=True):
        assert before == after


# --- what a caller sends changes nothing --------------------------------------------------------


def property_names(schema: Any) -> Iterator[str]:
    """Yield the names of all properties of a schema, at any depth."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        yield from schema.get("required", [])
    for node in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from property_names(node)


@pytest.mark.parametrize("tool", sorted(CATALOG))
def test_no_argument_names_a_tenant_and_no_unknown_one_is_taken(tool: str) -> None:
    schema = CATALOG[tool].input_schema
    names = {name.lower() for name in property_names(schema)}

    assert not [name for name in names if any(word in name for word in ("tenant", "account", "project", "workspace"))]
    assert schema["additionalProperties"] is False


async def test_an_argument_that_names_a_tenant_is_refused(both: Crm, server: Server) -> None:
    for tool in CATALOG:
        for name in ("tenant", "tenant_id", "tenantId", "TENANT_ID", "mcp.tenant_id", "_tenant"):
            status, answer = await server.execute(
                tool, {**QUESTIONS.get(tool, ({},))[0], name: B.tenant}, server.bearer(A.tenant)
            )
            assert (status, answer["error"]["code"]) == (400, "invalid_arguments"), (tool, name)
            assert name in [field["field"] for field in answer["error"]["fields"]]


HEADERS = (
    *("X-Tenant-Id", "X-Tenant", "X-Tenant-ID", "Tenant", "Tenant-Id", "tenant_id", "X-Project-Id", "X-User-Id"),
    *("X-Forwarded-User", "X-Forwarded-Tenant", "X-Original-Authorization", "Proxy-Authorization", "Forwarded", "Host"),
    *("X-Request-Id", "Mcp-Session-Id", "Baggage", "Traceparent", "X-HTTP-Method-Override", "From"),
)


async def test_no_header_cookie_or_address_names_a_tenant(both: Crm, server: Server) -> None:
    own = server.bearer(A.tenant)
    _, expected = await server.rpc(rpc(), own)
    token = server.token(B.tenant)
    decoys: list[tuple[dict[str, str], str]] = [
        *(({name: B.tenant}, "") for name in HEADERS if name != "Host"),
        *(({name: f"Bearer {token}"}, "") for name in ("X-Authorization", "Proxy-Authorization", "X-Access-Token")),
        ({"Cookie": f"tenant_id={B.tenant}; token={token}; Authorization=Bearer {token}; session={token}"}, ""),
        ({}, f"?tenant_id={B.tenant}&tenant={B.tenant}&tenantId={B.tenant}"),
        ({}, f"?access_token={token}&token={token}&authorization=Bearer%20{token}&jwt={token}"),
    ]

    for headers, query in decoys:
        async with server.session.post(
            f"{server.url}/rpc{query}", data=orjson.dumps(rpc()), headers={**own, **headers}
        ) as response:
            assert expected == orjson.loads(await response.read()), (headers, query)
    for path in (f"/{B.tenant}/rpc", f"/rpc/{B.tenant}", f"/tenants/{B.tenant}/rpc", f"/rpc;tenant_id={B.tenant}"):
        async with server.session.post(f"{server.url}{path}", data=orjson.dumps(rpc()), headers=own) as response:
            assert response.status == 404, path


async def test_two_tokens_are_no_token(both: Crm, server: Server) -> None:
    a, b = (f"Bearer {server.token(tenant.tenant)}" for tenant in (A, B))
    for headers in ([("Authorization", a), ("Authorization", b)], [("Authorization", f"{a}, {b}")]):
        async with server.session.post(f"{server.url}/rpc", data=orjson.dumps(rpc()), headers=headers) as response:
            assert response.status == 401


async def test_no_member_of_a_body_names_a_tenant(both: Crm, server: Server) -> None:
    own = server.bearer(A.tenant)
    named = {"tenant_id": B.tenant, "tenant": B.tenant, "tenantId": B.tenant, "caller": {"tenant_id": B.tenant}}
    _, expected = await server.rpc(rpc(), own)

    assert (200, expected) == await server.rpc(rpc(params={**CALL, "_meta": named}), own)
    assert (200, expected) == await server.rpc(rpc(params=["find_contacts", {}, named]), own)
    for refused in (
        rpc(params={**CALL, "tenant_id": B.tenant}),
        rpc(params={**CALL, "context": {"caller": named}}),
        rpc(params={**CALL, "caller": named}),
        rpc(params=[named, "find_contacts", {}]),
        rpc(params=["find_contacts", {}, {}, named]),
    ):
        _, answer = await server.rpc(refused, own)
        assert answer["error"]["code"] == -32602, refused
    _, beside = await server.rpc({**rpc(), **named}, own)
    assert "error" in beside or beside == expected
    body = orjson.dumps({"tool_name": "find_contacts", "arguments": {}, "tenant_id": B.tenant})
    async with server.session.post(f"{server.url}/v1/tools/execute", data=body, headers=own) as response:
        assert response.status == 400


async def test_members_of_a_batch_are_all_the_callers(both: Crm, server: Server) -> None:
    batch = [rpc(id=place, params={**CALL, "_meta": {"tenant_id": B.tenant}}) for place in range(8)]

    _, answer = await server.rpc(batch, server.bearer(A.tenant))

    assert len(answer) == 8
    assert foreign_marks(orjson.dumps(answer).decode(), A, [A, B]) == []


async def test_every_tenant_is_offered_the_same_tools(both: Crm, server: Server) -> None:
    lists = []
    for tenant in (A.tenant, B.tenant, "nobody"):
        async with server.session.get(f"{server.url}/v1/tools/list", headers=server.bearer(tenant)) as response:
            lists.append(await response.read())

    assert len(set(lists)) == 1


# --- ids of others are ids of nobody ------------------------------------------------------------


async def test_a_cursor_of_another_tenant_leads_only_to_ones_own_contacts(both: Crm, server: Server) -> None:
    _, page = await server.execute("find_contacts", {"limit": 1}, server.bearer(A.tenant))

    _, theirs = await server.execute(
        "find_contacts", {"cursor": page["result"]["next_cursor"], "limit": 100}, server.bearer(B.tenant)
    )

    found = {contact["contact_id"] for contact in theirs["result"]["contacts"]}
    assert found and found <= B.ids("contact", B.contacts)
    assert foreign_marks(orjson.dumps(theirs).decode(), B, [A, B]) == []


async def test_get_contact_knows_a_foreign_id_no_better_than_an_unknown_one(both: Crm, server: Server) -> None:
    kinds = ("contact", "agent", "stage", "session", "decision", "project", "user")
    said = set()
    for id in (str(uuid4()), *(str(A.id(kind)) for kind in kinds)):
        status, answer = await server.execute("get_contact", {"contact_id": id}, server.bearer(B.tenant))
        assert status == 404, id
        answer["error"].pop("request_id")
        said.add(orjson.dumps(answer).replace(id.encode(), b"<id>"))

    assert len(said) == 1


async def test_foreign_agents_are_not_found_and_count_nothing(both: Crm, server: Server) -> None:
    foreign = [str(A.id("agent", place)) for place in range(3)]
    own = str(B.id("agent"))

    _, alone = await server.execute("get_agent_conversion_stats", {"agent_ids": foreign}, server.bearer(B.tenant))
    _, mixed = await server.execute(
        "get_agent_conversion_stats", {"agent_ids": [*foreign, own]}, server.bearer(B.tenant)
    )

    assert foreign == alone["result"]["not_found"] == mixed["result"]["not_found"]
    assert (alone["result"]["stats"], alone["result"]["team"]["total_contacts"]) == ([], 0)
    assert [own] == [agent["agent_id"] for agent in mixed["result"]["stats"]]
    assert A.mark not in orjson.dumps(mixed["result"]["stats"]).decode()


async def test_foreign_agents_are_compared_no_more_than_unknown_ones(both: Crm, server: Server) -> None:
    said = set()
    for id in (str(uuid4()), *(str(A.id(kind)) for kind in ("agent", "contact", "user"))):
        asked = {"agent_ids": [str(B.id("agent")), id]}
        status, answer = await server.execute("compare_agents", asked, server.bearer(B.tenant))
        assert status == 404, id
        answer["error"].pop("request_id")
        said.add(orjson.dumps(answer).replace(id.encode(), b"<id>"))

    assert len(said) == 1


async def test_foreign_ids_and_texts_find_no_contact(both: Crm, server: Server) -> None:
    for criterion in (
        {"agent_id": str(A.id("agent"))},
        {"stage_id": str(A.id("stage", 1))},
        {"query": A.mark},
        {"query": f"0@{A.mark}.example"},
        {"query": f"Contact 0 {A.mark}"},
    ):
        _, theirs = await server.execute("find_contacts", criterion, server.bearer(B.tenant))
        _, own = await server.execute("find_contacts", criterion, server.bearer(A.tenant))
        assert theirs["result"]["contacts"] == [], criterion
        assert own["result"]["contacts"], criterion
