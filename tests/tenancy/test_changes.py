"""Tools that write: of other tenants they find nothing, change nothing and remember nothing."""

from typing import Any
from uuid import uuid4

import orjson
import pytest

from handlers import CATALOG
from tests.conftest import Crm, Server
from tests.tenancy.access import everything
from tests.tenancy.conftest import A, B
from tests.tenancy.rows import Marked, foreign_marks

# The arguments that are ids, by the kind of row they name, and the others.
CHANGES: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "qualify_lead": ({"contact_id": "contact"}, {"status": "unqualified"}),
    "assign_to_agent": ({"contact_id": "contact", "agent_id": "agent"}, {"notes": "call back"}),
    "update_pipeline_stage": ({"contact_id": "contact", "pipeline_id": "pipeline", "stage_id": "stage"}, {}),
}


def arguments(tool: str, of: Marked, **others: Any) -> dict[str, Any]:
    """Return arguments for a change of a tenant's last contact."""
    ids, rest = CHANGES[tool]
    places = {"contact_id": of.contacts - 1}
    return {**{name: str(of.id(kind, places.get(name, 0))) for name, kind in ids.items()}, **rest, **others}


def test_every_tool_that_writes_is_tried() -> None:
    assert set(CHANGES) == {tool.name for tool in CATALOG.values() if tool.writes}


@pytest.mark.parametrize("tool", CHANGES)
async def test_a_change_changes_only_ones_own_rows(both: Crm, server: Server, tool: str) -> None:
    before = await everything(both.owner, A.tenant)

    status, answer = await server.execute(tool, arguments(tool, B, idempotency_key="one"), server.bearer(B.tenant))

    assert (status, answer["result"]["changed"]) == (200, True)
    assert foreign_marks(orjson.dumps(answer).decode(), B, [A, B]) == []
    assert await everything(both.owner, A.tenant) == before


@pytest.mark.parametrize("tool", CHANGES)
async def test_a_foreign_id_is_to_a_change_like_an_unknown_one(both: Crm, server: Server, tool: str) -> None:
    before = await everything(both.owner, A.tenant), await everything(both.owner, B.tenant)
    for name, kind in CHANGES[tool][0].items():
        said = set()
        for id in (str(A.id(kind)), str(uuid4())):
            status, answer = await server.execute(tool, arguments(tool, B, **{name: id}), server.bearer(B.tenant))
            answer["error"].pop("request_id")
            said.add((status, orjson.dumps(answer).replace(id.encode(), b"<id>")))
        assert len(said) == 1, name
        assert {status for status, _ in said} <= {404, 409}, name

    after = await everything(both.owner, A.tenant), await everything(both.owner, B.tenant)
    for tenant in after:
        tenant.pop("audit_log")
    for tenant in before:
        tenant.pop("audit_log")
    assert after == before


@pytest.mark.parametrize("tool", CHANGES)
async def test_a_key_that_another_tenant_used_is_a_new_one(both: Crm, server: Server, tool: str) -> None:
    """The user has the same name in both tenants."""
    for tenant in (A, B):
        status, answer = await server.execute(
            tool, arguments(tool, tenant, idempotency_key="the same"), server.bearer(tenant.tenant)
        )
        assert (status, answer["result"]["idempotency"]["replayed"]) == (200, False)
        assert foreign_marks(orjson.dumps(answer).decode(), tenant, [A, B]) == []
