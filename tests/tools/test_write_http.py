"""Changes over HTTP: statuses, headers, and what is no idempotency key."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from rpc_server.backends.postgres import Transaction
from tests.conftest import Crm, Server, StartServer
from tests.tools.office import TOOLS, Office


@pytest.fixture
async def office(crm: Crm) -> Office:
    """Give a tenant in the database of the test's servers."""
    office = Office(crm, "acme")
    await office.open()
    return office


def request(tool: str, arguments: Any, id: Any = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": "tools/call", "params": {"name": tool, "arguments": arguments}, "id": id}


def refusals(office: Office) -> list[tuple[int, str, str, dict[str, Any]]]:
    """Return what is refused: status, code, tool, arguments."""
    nobody = str(uuid4())
    return [
        (400, "invalid_arguments", "qualify_lead", office.qualification(bant_scores={"budget": 11})),
        (404, "not_found", "qualify_lead", office.qualification() | {"contact_id": nobody}),
        (404, "not_found", "update_pipeline_stage", office.move() | {"pipeline_id": nobody}),
        (404, "not_found", "assign_to_agent", office.assignment() | {"agent_id": nobody}),
        (409, "version_conflict", "assign_to_agent", office.assignment(expected_version=7)),
        (409, "stage_not_in_pipeline", "update_pipeline_stage", office.move() | {"stage_id": nobody}),
        (409, "stage_inactive", "update_pipeline_stage", office.move("idle")),
        (409, "agent_inactive", "assign_to_agent", office.assignment(office.idle)),
        (409, "agent_not_assignable", "assign_to_agent", office.assignment(office.others["bot"])),
        (409, "idempotency_mismatch", "qualify_lead", office.qualification(idempotency_key="k", status="unqualified")),
    ]


async def test_a_refusal_has_its_status_over_rest_and_is_a_result_over_json_rpc(office: Office, server: Server) -> None:
    bearer = server.bearer(office.tenant)
    await server.execute("qualify_lead", office.qualification(idempotency_key="k"), bearer)
    for status, code, tool, arguments in refusals(office):
        got, answer = await server.execute(tool, arguments, bearer)
        assert (got, answer["error"]["code"]) == (status, code)

        got, answer = await server.rpc(request(tool, arguments), bearer)
        assert (got, answer["result"]["isError"]) == (200, True)
        assert answer["result"]["structuredContent"]["code"] == code
        assert answer["result"]["structuredContent"]["message"] in answer["result"]["content"][0]["text"]

    outcomes = await _outcomes(office, 1 + 2 * len(refusals(office)))
    assert outcomes[1:] == [code for _, code, *_ in refusals(office) for _ in range(2)]


async def test_whoever_lacks_the_permission_gets_403_both_ways(office: Office, server: Server) -> None:
    bearer = server.bearer(office.tenant, ["contacts.view"])
    for tool in TOOLS:
        status, answer = await server.execute(tool, office.arguments(tool), bearer)
        assert (status, answer["error"]["code"]) == (403, "permission_denied")
        status, answer = await server.rpc(request(tool, office.arguments(tool)), bearer)
        assert (status, answer["result"]["structuredContent"]["code"]) == (403, "permission_denied")

    assert set(await _outcomes(office, 6)) == {"permission_denied"}
    assert await office.version() == 1


async def test_a_change_over_rest_is_replayed_over_json_rpc(office: Office, server: Server) -> None:
    bearer = server.bearer(office.tenant)
    for tool in TOOLS:
        arguments = office.arguments(tool, idempotency_key="k")
        status, first = await server.execute(tool, arguments, bearer)
        assert (status, first["result"]["changed"]) == (200, True)
        status, second = await server.rpc(request(tool, arguments), bearer)
        replayed = {**first["result"], "idempotency": {"key": "k", "replayed": True}}
        assert (status, second["result"]["structuredContent"]) == (200, replayed)
        text = second["result"]["content"][0]["text"]
        assert str(office.rita.id) in text and first["result"]["audit_id"] in text
        assert "An earlier call with this idempotency_key made the change" in text


async def test_the_id_of_a_request_is_no_key(office: Office, server: Server) -> None:
    bearer = server.bearer(office.tenant) | {"X-Request-Id": "the-same"}
    results = []
    for stage in ("talking", "offer", "talking", "talking"):
        _, answer = await server.rpc(request("update_pipeline_stage", office.move(stage), id="the-same"), bearer)
        results.append(answer["result"]["structuredContent"])

    assert [result["changed"] for result in results] == [True, True, True, False]
    assert [result["idempotency"] for result in results] == [{"key": None, "replayed": False}] * 4
    assert await office.rows("mcp_store.idempotency_keys", "key") == []
    assert {entry["request_id"] for entry in await office.trail()} == {"the-same"}


async def test_a_notification_makes_the_change_and_a_batch_makes_each(office: Office, server: Server) -> None:
    bearer = server.bearer(office.tenant)
    notification = request("qualify_lead", office.qualification())
    del notification["id"]
    assert await server.rpc(notification, bearer) == (204, None)
    assert await office.version() == 2

    status, answers = await server.rpc(
        [request("assign_to_agent", office.assignment(idempotency_key="k"), id=number) for number in range(5)], bearer
    )
    results = [answer["result"]["structuredContent"] for answer in answers]
    assert (status, await office.version()) == (200, 3)
    assert sorted(result["idempotency"]["replayed"] for result in results) == [False, True, True, True, True]


async def test_a_key_counts_in_every_server(office: Office, start_server: StartServer) -> None:
    servers = [await start_server(), await start_server()]
    arguments = office.assignment(idempotency_key="k")
    bearer = servers[0].bearer(office.tenant)
    async with asyncio.timeout(10):
        async with office.held():
            calls = [asyncio.create_task(s.execute("assign_to_agent", arguments, bearer)) for s in servers * 2]
            await office.waiting(4)
        answers = await asyncio.gather(*calls)

    assert {status for status, _ in answers} == {200}
    results = [answer["result"] for _, answer in answers]
    assert sorted(result["idempotency"]["replayed"] for result in results) == [False, True, True, True]
    assert len({result["audit_id"] for result in results}) == 1


async def test_whoever_waits_too_long_is_told_when_to_come_back(
    office: Office, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Transaction, "opening", Transaction.opening.replace("'10s'", "'50ms'"))
    async with office.held():
        url = f"{server.url}/v1/tools/execute"
        body = {"tool_name": "qualify_lead", "arguments": office.qualification()}
        async with server.session.post(url, json=body, headers=server.bearer(office.tenant)) as response:
            answer = await response.json()

    assert (response.status, response.headers["Retry-After"]) == (504, "2")
    assert answer["error"]["code"] == "deadline_exceeded"


async def test_a_client_that_hangs_up_does_not_stop_its_change(office: Office, server: Server) -> None:
    async with office.held():
        change = asyncio.create_task(
            server.execute("qualify_lead", office.qualification(), server.bearer(office.tenant))
        )
        await office.waiting()
        change.cancel()
        with pytest.raises(asyncio.CancelledError):
            await change

    assert await _outcomes(office, 1) == ["changed"]
    assert await office.version() == 2


async def _outcomes(office: Office, number: int) -> list[str]:
    """Return how the entries of the trail ended, once there are so many."""
    async with asyncio.timeout(5):
        while len(entries := await office.trail()) < number:  # noqa: ASYNC110 - only PostgreSQL knows
            await asyncio.sleep(0.01)
    return [entry["outcome"] for entry in entries]
