"""Whoever is refused is answered without a connection: here is no PostgreSQL, and who gets further is told so."""

from typing import Any

import orjson
import pytest
from pydantic import SecretStr

from tests.conftest import Server, StartServer

NOWHERE = SecretStr("postgresql://nobody:x@127.0.0.1:1/nothing")


@pytest.fixture
async def cut_off(start_server: StartServer) -> Server:
    """A server whose PostgreSQL cannot be reached."""
    return await start_server(database_url=NOWHERE, log_level="error")


def rpc(method: str = "tools/call", **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


async def test_who_is_let_in_meets_the_missing_database(cut_off: Server) -> None:
    """Without this, the others here would prove nothing."""
    status, answer = await cut_off.execute("list_agents", {})

    assert (status, answer["error"]["code"]) == (503, "dependency_unavailable")


async def test_a_caller_without_a_good_token_gets_no_further(cut_off: Server) -> None:
    body = orjson.dumps({"tool_name": "list_agents", "arguments": {}})
    for path in ("/rpc", "/v1/tools/execute"):
        for authorization in (None, "Bearer x.y.z", "Basic dTpw", "Bearer "):
            headers = {} if authorization is None else {"Authorization": authorization}
            async with cut_off.session.post(f"{cut_off.url}{path}", data=body, headers=headers) as response:
                assert response.status == 401, (path, authorization)


async def test_a_caller_without_the_permission_gets_no_further(cut_off: Server) -> None:
    poor = cut_off.bearer(permissions=["contacts.view"])

    assert (await cut_off.execute("list_agents", {}, poor))[0] == 403
    assert (await cut_off.rpc(rpc(name="list_agents"), poor))[0] == 403


async def test_what_cannot_be_read_gets_no_further(cut_off: Server) -> None:
    for body in (b"", b"{", b"[]", b"null", b'{"tool_name": 1}', b"\xff", b"[" * 100):
        url = f"{cut_off.url}/v1/tools/execute"
        async with cut_off.session.post(url, data=body, headers=cut_off.bearer()) as response:
            assert response.status == 400, body
        _, answer = await cut_off.rpc(body)
        assert answer["error"]["code"] in (-32700, -32600), body


async def test_an_unknown_tool_or_method_gets_no_further(cut_off: Server) -> None:
    assert (await cut_off.execute("drop_tables", {}))[0] == 404
    assert (await cut_off.rpc(rpc(name="drop_tables")))[1]["error"]["code"] == -32602
    assert (await cut_off.rpc(rpc("tools/drop")))[1]["error"]["code"] == -32601


async def test_invalid_arguments_get_no_further(cut_off: Server) -> None:
    cases: list[tuple[str, Any]] = [
        ("get_leads_count", {}),
        ("get_leads_count", {"period": "custom"}),
        ("get_leads_count", {"period": "custom", "start_date": "2026-02-02", "end_date": "2026-02-01"}),
        ("get_contact", {"contact_id": "x"}),
        ("find_contacts", {"limit": 0}),
        ("find_contacts", {"query": "\x00"}),
        ("list_agents", {"tenant_id": "tenant-b"}),
        ("list_pipelines", []),
    ]
    for tool, arguments in cases:
        assert (await cut_off.execute(tool, arguments))[0] == 400, (tool, arguments)
        _, answer = await cut_off.rpc(rpc(name=tool, arguments=arguments))
        assert answer["result"]["structuredContent"]["code"] == "invalid_arguments", (tool, arguments)


async def test_lists_need_no_database(cut_off: Server) -> None:
    assert (await cut_off.rpc(rpc("tools/list")))[1]["result"]["tools"]
    async with cut_off.session.get(f"{cut_off.url}/v1/tools/list", headers=cut_off.bearer()) as response:
        assert response.status == 200
    async with cut_off.session.get(f"{cut_off.url}/health") as response:
        assert response.status == 200
