"""Many calls at once, each of some tenant that gives up when its patience ends, and a judgement of every answer."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import orjson

from tests.tenancy.rows import AGENTS, Marked, foreign_marks

TENANTS = [Marked(f"tenant-{number}", number, contacts=number + 2) for number in range(1, 21)]
Answer = dict[str, Any]
Send = Callable[[str, Any, Marked], Awaitable[tuple[str, Answer]]]


@dataclass(slots=True)
class Tally:
    """What came of all calls, by outcome, and what was wrong with some."""

    outcomes: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def questions(tenant: Marked, rng: Random) -> tuple[str, Any]:
    """Return a tool and arguments for it, every tool as often as the others."""
    metrics = ["conversion_rate", "win_rate", "response_time", "satisfaction", "resolution_rate"]
    day = "2000-01-01"
    arguments: dict[str, Any] = {
        "get_leads_count": {"period": "all", "series": rng.choice(["none", "month"])},
        "get_agent_conversion_stats": {},
        "get_top_performing_agent": {
            "metric": rng.choice(metrics),
            "period": "custom",
            "start_date": day,
            "end_date": "2100-01-01",
        },
        "analyze_agent_messages": {
            "agent_id": str(tenant.id("agent", rng.randrange(AGENTS))),
            "start_date": day,
            "end_date": "2100-01-01",
        },
        "compare_agents": {"agent_ids": [str(tenant.id("agent", place)) for place in range(rng.choice([2, AGENTS]))]},
        "find_contacts": {"limit": rng.choice([2, 100])},
        "get_contact": {"contact_id": str(tenant.id("contact", rng.randrange(tenant.contacts)))},
        "list_agents": {},
        "list_pipelines": {},
    }
    tool = rng.choice(sorted(arguments))
    return tool, arguments[tool]


def complaint(tool: str, arguments: Any, answer: Answer, tenant: Marked) -> str | None:
    """Say what is wrong with a tenant's answer, if anything is."""
    text = orjson.dumps(answer).decode() + _opened(answer.get("next_cursor"))
    if foreign := foreign_marks(text, tenant, TENANTS):
        return f"{tool} of {tenant.mark} shows {foreign}"
    count, expected = _counted(tool, arguments, answer, tenant)
    if count != expected:
        return f"{tool} of {tenant.mark} counts {count}, not {expected}"
    return None


def _opened(cursor: str | None) -> str:
    return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode() if cursor else ""


def _counted(tool: str, arguments: Any, answer: Answer, tenant: Marked) -> tuple[Any, Any]:
    match tool:
        case "get_leads_count":
            return (answer["total_leads"], answer["qualified_leads"]), (tenant.contacts, tenant.contacts)
        case "get_agent_conversion_stats":
            team = answer["team"]
            figures = (team["total_contacts"], team["conversions"], answer["conversion_window_days"])
            return figures, (tenant.contacts, (tenant.contacts + 1) // 2, 100 + tenant.number)
        case "get_top_performing_agent":
            cases = {agent["agent_id"]: agent["n"] for agent in answer["ranking"]}
            return cases, {id: n for id, n in _cases_of(tenant).items() if n >= answer["min_sample"]}
        case "analyze_agent_messages":
            return answer["sample"]["messages_total"], _cases_of(tenant)[answer["agent_id"]]
        case "compare_agents":
            cases = {mix["agent_id"]: mix["contacts"] for mix in answer["case_mix"]}
            return cases, {id: n for id, n in _cases_of(tenant).items() if id in arguments["agent_ids"]}
        case "find_contacts":
            return len(answer["contacts"]), min(tenant.contacts, arguments["limit"])
        case "get_contact":
            return (answer["contact_id"], len(answer["sessions"]), len(answer["timeline"])), (
                arguments["contact_id"],
                1,
                1,
            )
        case "list_agents":
            return {agent["agent_id"] for agent in answer["agents"]}, tenant.ids("agent", AGENTS)
        case _:
            stages = {stage["stage_id"] for pipeline in answer["pipelines"] for stage in pipeline["stages"]}
            return stages, tenant.ids("stage", 3)


def _cases_of(tenant: Marked) -> dict[str, int]:
    """Return how many cases each agent has, by every metric: one for each contact it talked to."""
    return {str(tenant.id("agent", a)): len(range(a, tenant.contacts, AGENTS)) for a in range(AGENTS)}


async def ask(send: Send, tenant: Marked, rng: Random, tally: Tally, patience: float | None) -> None:
    """Make a call, give up after *patience* seconds, and judge the answer."""
    tool, arguments = questions(tenant, rng)
    try:
        async with asyncio.timeout(patience):
            outcome, answer = await send(tool, arguments, tenant)
    except TimeoutError:
        outcome = "cancelled"
    else:
        if outcome == "ok" and (wrong := complaint(tool, arguments, answer, tenant)):
            tally.wrong.append(wrong)
        elif outcome != "ok" and (marks := foreign_marks(orjson.dumps(answer).decode(), tenant, TENANTS)):
            tally.wrong.append(f"the {outcome} of {tenant.mark} shows {marks}")
    tally.outcomes[outcome] = tally.outcomes.get(outcome, 0) + 1


async def crowd(send: Send, calls: int, seed: int, patience: Callable[[Random], float | None]) -> Tally:
    """Make many calls at once, each for some tenant."""
    rng, tally = Random(seed), Tally()
    async with asyncio.TaskGroup() as group:
        for _ in range(calls):
            tenant, one = rng.choice(TENANTS), Random(rng.random())
            group.create_task(ask(send, tenant, one, tally, patience(one)))
    return tally


def sometimes(rng: Random) -> float | None:
    """Return how long a client waits: some are gone within milliseconds."""
    return rng.choice([None, None, rng.uniform(0, 0.02), rng.uniform(0, 0.3)])
