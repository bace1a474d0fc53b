"""Tools, their snapshots and their permissions agree, in both directions."""

import pytest

from handlers import CATALOG
from tests.sweeps.snapshots import FOLDER, snapshot

# The contract: who may call what.
PERMISSIONS = {
    "get_leads_count": {"analytics.view"},
    "get_agent_conversion_stats": {"analytics.view"},
    "get_top_performing_agent": {"analytics.view"},
    "analyze_agent_messages": {"analytics.view", "messages.view"},
    "compare_agents": {"analytics.view", "messages.view"},
    "qualify_lead": {"contacts.manage"},
    "update_pipeline_stage": {"contacts.manage"},
    "assign_to_agent": {"sessions.manage"},
    "find_contacts": {"contacts.view"},
    "get_contact": {"contacts.view"},
    "list_agents": {"members.view"},
    "list_pipelines": {"pipelines.view"},
}


@pytest.mark.parametrize("name", sorted(CATALOG))
def test_a_tool_is_what_its_snapshot_says(name: str) -> None:
    kept = (FOLDER / f"{name}.json").read_text(encoding="utf-8")

    assert kept == snapshot(CATALOG[name]), "if this change is meant: make snapshots"


def test_no_snapshot_is_left_of_a_tool_that_is_gone() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(CATALOG)


def test_each_tool_needs_what_the_contract_says() -> None:
    assert {name: set(tool.permissions) for name, tool in CATALOG.items()} == PERMISSIONS


@pytest.mark.parametrize("name", sorted(CATALOG))
def test_a_description_begins_with_a_short_line_and_says_when_to_use_it(name: str) -> None:
    description = CATALOG[name].description

    assert len(description.splitlines()[0]) <= 120
    assert "Use it" in description
