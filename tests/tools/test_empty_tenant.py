"""Every tool on a tenant that has nothing."""

import pytest

from handlers import CATALOG
from tests.conftest import Crm

ARGUMENTS = {
    "get_leads_count": {"period": "month", "series": "day"},
    "get_agent_conversion_stats": {},
    "get_top_performing_agent": {"metric": "response_time", "period": "month"},
    "find_contacts": {"query": "ana"},
    "list_agents": {},
    "list_pipelines": {},
}


@pytest.mark.parametrize("name", sorted(ARGUMENTS))
async def test_an_empty_tenant_gets_an_empty_answer(crm: Crm, name: str) -> None:
    assert await crm.call(name, ARGUMENTS[name], tenant="nobody")


@pytest.mark.parametrize("metric", ["conversion_rate", "win_rate", "response_time", "satisfaction", "resolution_rate"])
async def test_an_empty_tenant_has_no_best_agent(crm: Crm, metric: str) -> None:
    answer = await crm.call("get_top_performing_agent", {"metric": metric, "period": "month"}, tenant="nobody")

    assert (answer["agent_id"], answer["metric_value"], answer["decisive"]) == (None, None, False)


def test_each_tool_is_asked() -> None:
    needs_a_contact = {"get_contact", "qualify_lead", "update_pipeline_stage", "assign_to_agent"}
    needs_agents = {"analyze_agent_messages", "compare_agents"}

    assert set(CATALOG) == {*ARGUMENTS} | needs_a_contact | needs_agents
