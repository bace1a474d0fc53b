"""The client and the real server."""

from uuid import uuid4

import pytest

from handlers import CATALOG
from mcp_client import (
    AsyncMCPClient,
    Conflict,
    InvalidArguments,
    NotFound,
    PayloadTooLarge,
    PermissionDenied,
    Unauthenticated,
    make_idempotency_key,
)
from tests.conftest import Server
from tests.tools.office import Office


async def test_the_tools_are_listed(client: AsyncMCPClient) -> None:
    listed = await client.list_tools()

    assert {tool["name"] for tool in listed["tools"]} == set(CATALOG)
    assert listed["count"] == len(listed["tools"])
    assert all(tool["parameters"] == tool["inputSchema"] for tool in listed["tools"])
    assert all(tool["annotations"]["readOnlyHint"] is not CATALOG[tool["name"]].writes for tool in listed["tools"])


async def test_a_tool_that_reads_is_called(client: AsyncMCPClient) -> None:
    answer = await client.call_tool("get_leads_count", {"period": "all"})

    assert answer["tool_name"] == "get_leads_count"
    assert answer["result"]["total_leads"] == 2
    assert answer["timestamp"]


async def test_arguments_may_be_left_out(client: AsyncMCPClient) -> None:
    assert (await client.call_tool("list_pipelines"))["result"]["pipelines"]


async def test_a_change_with_a_key_of_the_clients_making_is_made_and_can_be_replayed(
    client: AsyncMCPClient, office: Office
) -> None:
    first = await client.call_tool("qualify_lead", office.qualification(), idempotency_key="auto")
    key = first["result"]["idempotency"]["key"]
    again = await client.call_tool("qualify_lead", office.qualification(), idempotency_key=key)

    assert (first["result"]["changed"], first["result"]["idempotency"]["replayed"]) == (True, False)
    assert len(key) == 36 and key != "auto"
    assert again["result"] == first["result"] | {"idempotency": {"key": key, "replayed": True}}
    assert await office.version() == 2


async def test_two_keys_that_the_client_makes_are_two_changes(client: AsyncMCPClient, office: Office) -> None:
    there = await client.call_tool("update_pipeline_stage", office.move("talking"), idempotency_key="auto")
    back = await client.call_tool("update_pipeline_stage", office.move("offer"), idempotency_key="auto")

    assert there["result"]["idempotency"]["key"] != back["result"]["idempotency"]["key"]
    assert await office.version() == 3


async def test_a_key_may_stand_among_the_arguments(client: AsyncMCPClient, office: Office) -> None:
    key = make_idempotency_key()
    answer = await client.call_tool("assign_to_agent", office.assignment(idempotency_key=key))
    made = await client.call_tool("qualify_lead", office.qualification(idempotency_key="auto"))

    assert answer["result"]["idempotency"]["key"] == key
    assert made["result"]["idempotency"]["key"] not in (None, "auto")


async def test_bad_arguments_name_each_field(client: AsyncMCPClient) -> None:
    with pytest.raises(InvalidArguments) as caught:
        await client.call_tool("get_leads_count", {"period": "decade", "status": 1}, request_id="mine")

    error = caught.value
    assert (error.code, error.status, error.request_id) == ("invalid_arguments", 400, "mine")
    assert {problem["field"] for problem in error.fields} == {"period", "status"}
    assert "month" in error.fields[0]["allowed"]
    assert "period: is 'decade'" in str(error) and "(HTTP 400, request mine)" in str(error)


async def test_an_unknown_tool_is_not_found(client: AsyncMCPClient) -> None:
    with pytest.raises(NotFound) as caught:
        await client.call_tool("get_weather")

    assert "get_leads_count" in caught.value.details["tools"]


async def test_an_unknown_contact_is_not_found(client: AsyncMCPClient) -> None:
    with pytest.raises(NotFound) as caught:
        await client.call_tool("get_contact", {"contact_id": str(uuid4())})

    assert (caught.value.code, caught.value.status) == ("not_found", 404)


async def test_a_token_that_does_not_grant_it_is_told_what_is_missing(server: Server, office: Office) -> None:
    async with AsyncMCPClient(server.url, server.token(office.tenant, ["analytics.view"])) as client:
        with pytest.raises(PermissionDenied) as caught:
            await client.call_tool("qualify_lead", office.qualification())

    assert (caught.value.status, caught.value.missing) == (403, ["contacts.manage"])
    assert await office.version() == 1


async def test_a_wrong_token_is_said_to_be_wrong_and_not_shown(server: Server) -> None:
    async with AsyncMCPClient(server.url, "nonsense-of-a-token") as client:
        with pytest.raises(Unauthenticated) as caught:
            await client.list_tools()

    assert (caught.value.code, caught.value.status) == ("unauthenticated", 401)
    assert "nonsense" not in f"{caught.value!r} {caught.value} {caught.value.details} {client!r}"


async def test_a_conflict_says_what_the_version_is(client: AsyncMCPClient, office: Office) -> None:
    with pytest.raises(Conflict) as caught:
        await client.call_tool("qualify_lead", office.qualification(expected_version=7), idempotency_key="k")

    error = caught.value
    assert (error.code, error.status, error.idempotency_key) == ("version_conflict", 409, "k")
    assert error.details["current_version"] == 1


async def test_another_payload_under_the_same_key_is_a_conflict(client: AsyncMCPClient, office: Office) -> None:
    await client.call_tool("qualify_lead", office.qualification(), idempotency_key="k")
    with pytest.raises(Conflict) as caught:
        await client.call_tool("qualify_lead", office.qualification(status="unqualified"), idempotency_key="k")

    assert caught.value.code == "idempotency_mismatch"


async def test_arguments_beyond_the_servers_bound_are_too_large(client: AsyncMCPClient) -> None:
    with pytest.raises(PayloadTooLarge) as caught:
        await client.call_tool("find_contacts", {"query": "x" * 2**20})

    assert caught.value.status == 413
