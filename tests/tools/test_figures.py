"""Every figure against a plain count over the same rows: on awkward worlds from seeds, and by hand."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from tests.conftest import Crm
from tests.tools import oracle
from tests.tools.oracle import Books, Seconds, period
from tests.tools.world import (
    DAY,
    MICROSECOND,
    SECOND,
    Agent,
    Contact,
    Session,
    World,
    awkward_world,
    entangle,
    insert,
)

SAO_PAULO = ZoneInfo("America/Sao_Paulo")
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
METRICS = ("conversion_rate", "win_rate", "response_time", "satisfaction", "resolution_rate")
# Answers round rates to 4 decimals, and seconds to one.
ROUNDING = 5.1e-5
TENTH = 0.051


def local(text: str, zone: str = "America/Sao_Paulo") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


# A Wednesday noon.
NOW = local("2026-11-18 12:00")
TODAY = local("2026-11-18 00:00")


def same(answer: Any, expected: Any, path: str = "answer") -> None:
    """Assert that *answer* says what is *expected*; it may say more."""
    match expected:
        case dict():
            assert isinstance(answer, dict), f"{path}: {answer} instead of {expected}"
            for key, value in expected.items():
                assert key in answer, f"{path} has no {key}"
                same(answer[key], value, f"{path}.{key}")
        case list() | tuple():
            assert len(answer) == len(expected), f"{path}: {answer} instead of {expected}"
            for index, value in enumerate(expected):
                same(answer[index], value, f"{path}[{index}]")
        case datetime():
            assert datetime.fromisoformat(answer) == expected, path
        case UUID() | date():
            assert answer == str(expected), path
        case Seconds():
            assert answer == pytest.approx(float(expected), abs=TENTH), path
        case float():
            assert answer == pytest.approx(expected, abs=ROUNDING), path
        case _:
            assert answer == expected, path


async def leads(crm: Crm, world: World, label: str, now: datetime = NOW, **arguments: Any) -> dict[str, Any]:
    return await crm.call("get_leads_count", {"period": label, **arguments}, tenant=world.tenant, now=now)


async def conversions(crm: Crm, world: World, now: datetime = NOW, **arguments: Any) -> dict[str, Any]:
    return await crm.call("get_agent_conversion_stats", arguments, tenant=world.tenant, now=now)


async def top(
    crm: Crm, world: World, metric: str, label: str = "month", now: datetime = NOW, **arguments: Any
) -> dict[str, Any]:
    named = {"metric": metric, "period": label, **arguments}
    return await crm.call("get_top_performing_agent", named, tenant=world.tenant, now=now)


def of(answer: dict[str, Any], agent: Agent, part: str = "stats") -> dict[str, Any]:
    """Return an agent's row of an answer."""
    (row,) = [row for row in answer[part] if row["agent_id"] == str(agent.id)]
    return dict(row)


def ids(answer: dict[str, Any], part: str) -> set[str]:
    return {row["agent_id"] for row in answer[part]}


# Awkward worlds

WORLDS = [
    # Sunday; the clocks of São Paulo had skipped its midnight, or run twice through the hour before it.
    (1, "America/Sao_Paulo", local("2018-11-04 12:00")),
    (2, "America/Sao_Paulo", local("2018-02-18 00:30")),
    (3, "America/Sao_Paulo", local("2018-02-17 23:30")),
    (4, "America/Sao_Paulo", local("2026-03-31 18:00")),
    (5, "America/Sao_Paulo", local("2026-11-22 15:30")),
    (6, "America/Sao_Paulo", local("2026-12-31 23:59")),
    (7, "America/New_York", local("2026-03-08 12:00", "America/New_York")),
    (8, "America/New_York", local("2026-11-01 23:30", "America/New_York")),
    (9, "Pacific/Auckland", local("2026-09-30 08:00", "Pacific/Auckland")),
    (10, "Asia/Kolkata", local("2026-02-28 05:29", "Asia/Kolkata")),
    (11, "America/Sao_Paulo", local("2026-08-31 09:00")),
    (12, "America/Sao_Paulo", local("2026-06-29 00:00")),
]


def world_of_two(seed: int, zone: str, now: datetime) -> World:
    """Return the awkward worlds of two tenants whose rows point at each other's."""
    world = awkward_world(seed, "tenant-a", now, ZoneInfo(zone))
    world.absorb(awkward_world(seed, "tenant-b", now, ZoneInfo(zone)))
    entangle(world, "tenant-b", seed)
    return world


@pytest.mark.parametrize(("seed", "zone", "now"), WORLDS, ids=lambda value: str(value))
async def test_every_figure_of_an_awkward_world_is_what_plain_counting_finds(
    crm: Crm, seed: int, zone: str, now: datetime
) -> None:
    world = world_of_two(seed, zone, now)
    await insert(world, crm.owner)

    for tenant in ("tenant-a", "tenant-b"):
        world.tenant = tenant
        books = Books(world, tenant, now)
        await _compare_leads(crm, world, books)
        await _compare_conversions(crm, world, books)
        await _compare_top(crm, world, books)


async def _compare_leads(crm: Crm, world: World, books: Books) -> None:
    for label in ("today", "yesterday", "week", "month", "quarter", "year", "all"):
        for status in ("all", "qualified", "unqualified"):
            answer = await leads(crm, world, label, books.now, status=status)
            same(answer, oracle.leads_count(books, label, status=status), f"{world.tenant} {label} {status}")
            days = period(label, books.zone, books.now)
            if days is not None:
                same(answer["period"], {"start": days.start, "end": days.end})
    for first, last in _custom_days(books):
        answer = await leads(crm, world, "custom", books.now, start_date=str(first), end_date=str(last))
        expected = oracle.leads_count(books, "custom", start=first, end=last)
        same(answer, expected, f"{world.tenant} {first} to {last}")
    for label, bucket in (("week", "day"), ("month", "day"), ("month", "week"), ("quarter", "month"), ("all", "month")):
        answer = await leads(crm, world, label, books.now, series=bucket)
        series = [{"start": day, "total_leads": count} for day, count in oracle.leads_series(books, label, bucket)]
        same(answer["series"], series, f"{world.tenant} {label} by {bucket}")


def _custom_days(books: Books) -> list[tuple[date, date]]:
    """Return spans of local days: over, running, one day, yet to come."""
    today = books.now.astimezone(books.zone).date()
    return [
        (today - 9 * DAY, today - 3 * DAY),
        (today - 3 * DAY, today + 3 * DAY),
        (today - DAY, today - DAY),
        (today + DAY, today + 2 * DAY),
    ]


async def _compare_conversions(crm: Crm, world: World, books: Books) -> None:
    today = books.now.astimezone(books.zone).date()
    some = [agent.id for agent in world.agents[1:14:3]]
    asked: list[tuple[int, list[UUID] | None, int | None]] = [
        (29, None, None),
        (120, None, None),
        (120, some, None),
        (200, None, 5),
    ]
    for length, agent_ids, window_days in asked:
        days = period("custom", books.zone, books.now, today - length * DAY, today)
        assert days is not None
        arguments: dict[str, Any] = {"start_date": str(days.first), "end_date": str(days.last)}
        if agent_ids is not None:
            arguments["agent_ids"] = [str(agent_id) for agent_id in agent_ids]
        if window_days is not None:
            arguments["conversion_window_days"] = window_days
        if length == 29:
            arguments = {}
        answer = await conversions(crm, world, books.now, **arguments)
        expected = oracle.conversion_stats(books, days, agent_ids=agent_ids, window_days=window_days)
        same(answer["period"], {"start": days.start, "end": days.end})
        assert sorted(answer.pop("not_found")) == [str(agent_id) for agent_id in expected.pop("not_found")]
        same(answer, expected, f"{world.tenant} {arguments}")


async def _compare_top(crm: Crm, world: World, books: Books) -> None:
    today = books.now.astimezone(books.zone).date()
    for label, dates in (("week", None), ("month", None), ("quarter", None), ("custom", (today - 100 * DAY, today))):
        days = period(label, books.zone, books.now, *(dates or ()))
        assert days is not None
        arguments = {"start_date": str(days.first), "end_date": str(days.last)} if dates else {}
        for metric in METRICS:
            answer = await top(crm, world, metric, label, books.now, **arguments)
            _compare_ranking(answer, _expected_ranking(books, days, metric), f"{world.tenant} {metric} {label}")


def _expected_ranking(books: Books, days: oracle.Days, metric: str) -> dict[str, Any]:
    if metric == "response_time":
        return oracle.top_by_response_time(books, days)
    return oracle.top_by_rate(books, days, metric)


def _compare_ranking(answer: dict[str, Any], expected: dict[str, Any], where: str) -> None:
    few = {str(agent_id) for agent_id in expected.pop("excluded")}
    ranked, excluded = ids(answer, "ranking"), ids(answer, "excluded")
    same(answer, expected, where)
    assert few <= excluded, where
    assert not ranked & excluded, where
    first = expected["ranking"][0] if expected["ranking"] else {"agent_id": None, "value": None}
    same(answer, {"agent_id": first["agent_id"], "metric_value": first["value"]}, where)


def test_the_awkward_worlds_are_awkward() -> None:
    seen: dict[str, int] = {}

    def count(case: str, found: bool) -> None:
        seen[case] = seen.get(case, 0) + found

    for seed, zone, now in WORLDS:
        books = Books(world_of_two(seed, zone, now), "tenant-a", now)
        today = now.astimezone(books.zone).date()
        days = period("custom", books.zone, now, today - 100 * DAY, today)
        assert days is not None
        stats = oracle.conversion_stats(books, days)
        cases = oracle.cases(books, days, {agent.id for agent in books.agents}, books.window_days)
        edge = timedelta(days=books.window_days)
        count("shared", stats["shared_contacts"] > 5)
        count("won at the start", any(case.won_at == case.since for case in cases))
        count("won just before", any(case.won_at == case.since - MICROSECOND for case in cases))
        count("won at the end", any(case.won_at == case.since + edge for case in cases))
        count("won just in time", any(case.won_at == case.since + edge - MICROSECOND for case in cases))
        for figure in ("already_won", "conversions", "immature", "still_open", "qualified"):
            count(figure, stats["team"][figure] > 0)
        count("lost", stats["team"]["decided"] > stats["team"]["conversions"])
        for metric in METRICS:
            answer = _expected_ranking(books, days, metric)
            count(f"{metric} ranked", len(answer["ranking"]) > 1)
            count(f"{metric} excluded", bool(answer["excluded"]))
            count(f"{metric} undecided", not answer["decisive"])
            count("decided by median" if metric == "response_time" else "decided by rate", answer["decisive"])
        count("ratings", bool(books.ratings))
        count("sentiments", not books.ratings)
        count("business hours", books.hours is not None)

    assert not [case for case, worlds in seen.items() if not worlds], seen
