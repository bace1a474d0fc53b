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

    # The other tenant's figures as well, in every second world: it costs as much again.
    for tenant in ("tenant-a", "tenant-b")[: 1 + seed % 2]:
        world.tenant = tenant
        books = Books(world, tenant, now)
        await _compare_leads(crm, world, books)
        await _compare_conversions(crm, world, books)
        await _compare_top(crm, world, books)


async def _compare_leads(crm: Crm, world: World, books: Books) -> None:
    for index, label in enumerate(("today", "yesterday", "week", "month", "quarter", "year", "all")):
        status = ("all", "qualified", "unqualified")[(index + len(books.contacts)) % 3]
        answer = await leads(crm, world, label, books.now, status=status)
        same(answer, oracle.leads_count(books, label, status=status), f"{world.tenant} {label} {status}")
        days = period(label, books.zone, books.now)
        if days is not None:
            same(answer["period"], {"start": days.start, "end": days.end})
    for first, last in _custom_days(books):
        answer = await leads(crm, world, "custom", books.now, start_date=str(first), end_date=str(last))
        expected = oracle.leads_count(books, "custom", start=first, end=last)
        same(answer, expected, f"{world.tenant} {first} to {last}")
    for label, bucket in (("month", "day"), ("quarter", "week"), ("all", "month")):
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
    calendar = ("week", "month", "quarter")[len(books.contacts) % 3]
    for label, dates in ((calendar, ()), ("custom", (today - 100 * DAY, today))):
        days = period(label, books.zone, books.now, *dates)
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


# Leads by hand


async def test_a_day_is_from_midnight_to_midnight_of_the_tenants_zone(crm: Crm) -> None:
    world = World()
    for at in (TODAY - MICROSECOND, TODAY, TODAY + DAY - MICROSECOND, TODAY + DAY):
        world.contact(at)
    await insert(world, crm.owner)

    assert (await leads(crm, world, "today"))["total_leads"] == 2
    assert (await leads(crm, world, "yesterday"))["total_leads"] == 1
    assert (await leads(crm, world, "week"))["total_leads"] == 4


CLOCK_CHANGES = [
    ("2018-11-04 12:00", "America/Sao_Paulo", "2018-11-04T01:00:00-02:00", 23),
    ("2018-02-17 12:00", "America/Sao_Paulo", "2018-02-17T00:00:00-02:00", 25),
    ("2026-03-08 12:00", "America/New_York", "2026-03-08T00:00:00-05:00", 23),
    ("2026-11-01 12:00", "America/New_York", "2026-11-01T00:00:00-04:00", 25),
]


async def test_a_day_on_which_clocks_change_is_an_hour_shorter_or_longer(crm: Crm) -> None:
    for now, zone, start, hours in CLOCK_CHANGES:
        world = World(f"{zone} {now}")
        world.setting("time_zone", zone)
        begins = datetime.fromisoformat(start)
        for at in (begins - MICROSECOND, begins, begins + hours * HOUR - MICROSECOND, begins + hours * HOUR):
            world.contact(at)
        await insert(world, crm.owner)

        answer = await leads(crm, world, "today", local(now, zone), series="day")

        same(answer["period"], {"start": begins, "end": begins + hours * HOUR}, world.tenant)
        series = [{"start": now[:10], "total_leads": 2}]
        same(answer, {"total_leads": 2, "series": series, "previous": {"total_leads": 0}}, world.tenant)


PREVIOUS_PERIODS = [
    ("2026-11-18 12:00", "today", "2026-11-17 00:00", "2026-11-17 12:00"),
    ("2026-11-18 12:00", "yesterday", "2026-11-16 00:00", "2026-11-17 00:00"),
    ("2026-11-18 12:00", "week", "2026-11-09 00:00", "2026-11-11 12:00"),
    ("2026-11-18 12:00", "month", "2026-10-01 00:00", "2026-10-18 12:00"),
    ("2026-11-18 12:00", "quarter", "2026-07-01 00:00", "2026-08-18 12:00"),
    ("2026-11-18 12:00", "year", "2025-01-01 00:00", "2025-11-18 12:00"),
    # February is over before a 31st of it comes.
    ("2026-03-31 12:00", "month", "2026-02-01 00:00", "2026-03-01 00:00"),
    ("2026-12-31 12:00", "quarter", "2026-07-01 00:00", "2026-09-30 12:00"),
    # The same hour by the clock on the wall, beside a day that had an hour less.
    ("2018-11-05 12:00", "today", "2018-11-04 01:00", "2018-11-04 12:00"),
    ("2018-11-04 12:00", "today", "2018-11-03 00:00", "2018-11-03 12:00"),
]


async def test_the_period_before_is_the_same_elapsed_local_span(crm: Crm) -> None:
    for now, label, start, end in PREVIOUS_PERIODS:
        world = World(f"{label} at {now}")
        for at in (local(start) - MICROSECOND, local(start), local(end) - MICROSECOND, local(end)):
            world.contact(at)
        await insert(world, crm.owner)

        answer = await leads(crm, world, label, local(now))

        same(answer["previous"], {"start": local(start), "end": local(end), "total_leads": 2}, world.tenant)


async def test_a_change_is_a_percentage_of_the_period_before(crm: Crm) -> None:
    world = World()
    for days in (0, 1, 1, 1):
        world.contact(TODAY - days * DAY)
    await insert(world, crm.owner)

    same(await leads(crm, world, "today"), {"delta": -2, "delta_pct": -66.67})
    same(await leads(crm, world, "yesterday"), {"delta": 3, "delta_pct": None})
    same(await leads(crm, world, "all"), {"total_leads": 4, "previous": None, "delta": None, "delta_pct": None})


async def test_leads_are_neither_deleted_nor_without_the_tenants_tag(crm: Crm) -> None:
    world = World()
    world.setting("lead_tag", "lead")
    for tags in (None, [], ["leads"], ["Lead"], ["vip", "lead"], ["lead"]):
        world.contact(TODAY, tags=tags)
    world.contact(TODAY, tags=["lead"], deleted_at=NOW)
    # An array of tags is what counts, not whatever else has such a text in it.
    world.contact(TODAY).tags = '{"lead": true}'
    await insert(world, crm.owner)

    assert (await leads(crm, world, "today"))["total_leads"] == 2


async def test_only_a_leads_current_decision_counts(crm: Crm) -> None:
    world = World()
    changed, withdrawn, kept, old, gone = (
        world.contact(at, deleted_at=deleted)
        for at, deleted in ((TODAY, None), (TODAY, None), (TODAY, None), (TODAY - 99 * DAY, None), (TODAY, NOW))
    )
    world.decision(changed, "qualified", TODAY + HOUR, superseded_at=TODAY + 2 * HOUR)
    world.decision(changed, "unqualified", TODAY + 2 * HOUR)
    world.decision(withdrawn, "qualified", TODAY, superseded_at=NOW)
    world.decision(kept, "qualified", TODAY - MICROSECOND)
    world.decision(old, "qualified", TODAY)
    world.decision(gone, "qualified", TODAY)
    await insert(world, crm.owner)

    answer = await leads(crm, world, "today")

    same(
        answer,
        {
            "total_leads": 3,
            "qualified_leads": 1,
            "unqualified_leads": 1,
            "undecided_leads": 1,
            "qualified_in_period": 1,
        },
    )
    same(
        await leads(crm, world, "today", status="qualified"),
        {"total_leads": 1, "qualified_leads": 1, "undecided_leads": 1, "delta": 1},
    )


async def test_an_opportunity_stands_now_in_an_active_stage(crm: Crm) -> None:
    world = World()
    opened, active, other = world.stage("Novo", "open"), world.stage("Proposta", "active"), world.stage("B", "active")
    twice, left, deleted, fresh, older = (world.contact(TODAY - age * DAY) for age in (0, 0, 0, 0, 9))
    world.contact(TODAY)
    world.entry(twice, active, TODAY)
    world.entry(twice, other, TODAY)
    world.entry(left, active, TODAY, NOW)
    world.entry(left, opened, NOW)
    world.entry(deleted, active, TODAY, deleted_at=NOW)
    world.entry(fresh, opened, TODAY)
    world.entry(older, active, TODAY)
    world.decision(twice, "unqualified", NOW)
    await insert(world, crm.owner)

    assert (await leads(crm, world, "today"))["opportunities"] == 1
    assert (await leads(crm, world, "today", status="qualified"))["opportunities"] == 1
    assert (await leads(crm, world, "all"))["opportunities"] == 2


async def test_a_series_by_week_starts_on_mondays_even_before_the_month(crm: Crm) -> None:
    world = World()
    for text in ("2026-10-31 23:59", "2026-11-01 00:00", "2026-11-01 23:59", "2026-11-02 00:00", "2026-11-17 09:00"):
        world.contact(local(text))
    await insert(world, crm.owner)

    answer = await leads(crm, world, "month", series="week")

    assert [(bucket["start"], bucket["total_leads"]) for bucket in answer["series"]] == [
        ("2026-10-26", 2),
        ("2026-11-02", 1),
        ("2026-11-09", 0),
        ("2026-11-16", 1),
        ("2026-11-23", 0),
        ("2026-11-30", 0),
    ]


async def test_an_empty_tenant_beside_a_full_one_has_nothing(crm: Crm) -> None:
    world = awkward_world(0, "tenant-b", NOW, SAO_PAULO)
    await insert(world, crm.owner)
    world.tenant = "tenant-a"

    zeros = {"total_leads": 0, "qualified_leads": 0, "opportunities": 0, "qualified_in_period": 0, "delta": 0}
    same(await leads(crm, world, "year"), {**zeros, "delta_pct": None})
    assert (await leads(crm, world, "all", series="month"))["series"] == []
    answer = await conversions(crm, world)
    same(answer, {"stats": [], "shared_contacts": 0, "not_found": [], "top_agent": None})
    same(answer["team"], {"total_contacts": 0, "conversions": 0, "conversion_rate": None, "ci95": None})
    for metric in METRICS:
        nobody = {"agent_id": None, "agent_name": None, "agent_type": None, "metric_value": None}
        same(await top(crm, world, metric), {**nobody, "decisive": False, "ranking": [], "metric": metric})


# Conversions by hand

START = local("2026-11-10 10:00")


class Shop(World):
    """A tenant with one pipeline and one agent, and a contact whenever one is needed."""

    def __init__(self, tenant: str = "tenant-a") -> None:
        super().__init__(tenant)
        self.new = self.stage("Novo", "open")
        self.won = self.stage("Ganho", "closed")
        self.lost = self.stage("Perdido", "closed")
        self.ana = self.agent("Ana")

    def someone(self) -> Contact:
        return self.contact(START - 300 * DAY)

    def talk(self, at: datetime = START, *agents: Agent) -> Session:
        """Start a conversation with someone new."""
        return self.session(self.someone(), at, *agents)


WINS: list[tuple[timedelta, dict[str, Any]]] = [
    (-MICROSECOND, {"total_contacts": 0, "already_won": 1, "conversions": 0, "conversion_rate": None}),
    (timedelta(), {"total_contacts": 1, "conversions": 1, "median_time_to_conversion_seconds": 0}),
    (HOUR, {"conversions": 1, "decided": 1, "still_open": 0, "avg_time_to_conversion_seconds": 3600}),
    (5 * DAY - MICROSECOND, {"conversions": 1}),
    (5 * DAY, {"total_contacts": 1, "conversions": 0, "decided": 0, "still_open": 1, "conversion_rate": 0}),
]


async def test_a_win_counts_from_the_start_of_the_conversation_to_before_the_windows_end(crm: Crm) -> None:
    for won_after, expected in WINS:
        shop = Shop(f"won after {won_after}")
        shop.talk(START, shop.ana)
        shop.entry(shop.contacts[0], shop.won, START + won_after)
        await insert(shop, crm.owner)

        answer = await conversions(crm, shop, conversion_window_days=5)

        same(of(answer, shop.ana), expected, shop.tenant)
        same(answer["team"], expected, shop.tenant)


async def test_the_window_is_the_tenants_unless_asked_for_another(crm: Crm) -> None:
    shop = Shop()
    shop.setting("conversion_window_days", 3)
    shop.talk(START, shop.ana)
    shop.entry(shop.contacts[0], shop.won, START + 4 * DAY)
    await insert(shop, crm.owner)

    same((await conversions(crm, shop))["team"], {"conversions": 0, "immature": 0})
    same((await conversions(crm, shop, conversion_window_days=90))["team"], {"conversions": 1, "immature": 1})


async def test_a_contact_is_immature_until_its_window_has_ended(crm: Crm) -> None:
    shop = Shop()
    for at in (NOW - 8 * DAY, NOW - 8 * DAY + MICROSECOND, NOW - DAY):
        shop.talk(at, shop.ana)
    await insert(shop, crm.owner)

    assert (await conversions(crm, shop, conversion_window_days=8))["team"]["immature"] == 2


# Hours after the conversation's start, and the stage entered then.
PATHS: list[tuple[str, dict[str, Any]]] = [
    ("1w 2w", {"total_contacts": 1, "conversions": 1, "median_time_to_conversion_seconds": 3600}),
    ("-9w 2w", {"total_contacts": 0, "already_won": 1, "conversions": 0}),
    ("1l 2w", {"conversions": 1, "decided": 1}),
    ("1w 2l", {"conversions": 1, "decided": 1}),
    ("1l", {"conversions": 0, "decided": 1, "win_rate": 0, "still_open": 0}),
    ("1l 2n", {"decided": 0, "win_rate": None, "still_open": 1}),
    ("-9l", {"decided": 0, "still_open": 1}),
    ("-9l 1n 2l", {"decided": 1}),
    ("1n 1n 0n", {"decided": 0, "still_open": 1}),
    # Beyond a window of five days.
    ("1l 121w", {"conversions": 0, "decided": 1, "still_open": 0}),
    ("1l 121n", {"decided": 1}),
    ("121l", {"decided": 0, "still_open": 1}),
    ("1l 2n 121l", {"decided": 0, "still_open": 1}),
    ("1n 2l 121n", {"decided": 1, "still_open": 0}),
    # After now.
    ("1n 300w", {"conversions": 0, "decided": 0}),
]


async def test_what_became_of_a_contact_is_its_path_through_the_stages(crm: Crm) -> None:
    for path, expected in PATHS:
        shop = Shop(path)
        shop.talk(START, shop.ana)
        stages = {"n": shop.new, "w": shop.won, "l": shop.lost}
        for step in path.split():
            shop.entry(shop.contacts[0], stages[step[-1]], START + int(step[:-1]) * HOUR)
        await insert(shop, crm.owner)

        same(of(await conversions(crm, shop, conversion_window_days=5), shop.ana), expected, path)


async def test_a_win_that_is_yet_to_come_or_was_deleted_is_none(crm: Crm) -> None:
    shop = Shop()
    for entered_at, deleted_at in ((NOW, None), (NOW + SECOND, None), (START, NOW)):
        shop.talk(START, shop.ana)
        shop.entry(shop.contacts[-1], shop.won, entered_at, deleted_at=deleted_at)
    await insert(shop, crm.owner)

    same((await conversions(crm, shop))["team"], {"total_contacts": 3, "conversions": 1})


async def test_two_agents_of_one_conversation_share_its_contact(crm: Crm) -> None:
    shop = Shop()
    bia = shop.agent("Bia")
    shop.talk(START, shop.ana, bia)
    shop.entry(shop.contacts[0], shop.won, START + HOUR)
    shop.talk(START, bia)
    await insert(shop, crm.owner)

    answer = await conversions(crm, shop)

    same(of(answer, shop.ana), {"total_contacts": 1, "conversions": 1})
    same(of(answer, bia), {"total_contacts": 2, "conversions": 1})
    same(answer["team"], {"total_contacts": 2, "conversions": 1})
    assert answer["shared_contacts"] == 1
    alone = await conversions(crm, shop, agent_ids=[str(bia.id)])
    same(alone, {"shared_contacts": 0, "team": {"total_contacts": 2}})


async def test_each_agents_time_runs_from_its_own_first_conversation(crm: Crm) -> None:
    """Bia won the contact; to Ana, who came later, it was a customer already; to the team it is one win."""
    shop = Shop()
    bia = shop.agent("Bia")
    contact = shop.someone()
    shop.session(contact, START, bia)
    shop.entry(contact, shop.won, START + HOUR)
    shop.session(contact, START + DAY, shop.ana)
    await insert(shop, crm.owner)

    answer = await conversions(crm, shop)

    same(of(answer, bia), {"total_contacts": 1, "conversions": 1, "already_won": 0})
    same(of(answer, shop.ana), {"total_contacts": 0, "conversions": 0, "already_won": 1})
    same(answer["team"], {"total_contacts": 1, "conversions": 1, "already_won": 0})
    assert answer["shared_contacts"] == 1


async def test_only_conversations_started_in_the_period_count(crm: Crm) -> None:
    shop = Shop()
    day = local("2026-11-10 00:00")
    for at in (day - MICROSECOND, day, day + DAY - MICROSECOND, day + DAY):
        shop.talk(at, shop.ana)
    early = shop.someone()
    shop.session(early, day - DAY, shop.ana)
    shop.entry(early, shop.won, day - HOUR)
    shop.session(early, day + HOUR, shop.ana)
    await insert(shop, crm.owner)

    answer = await conversions(crm, shop, start_date="2026-11-10", end_date="2026-11-10")

    same(of(answer, shop.ana), {"total_contacts": 2, "already_won": 1, "conversions": 0})


async def test_the_last_thirty_days_include_today(crm: Crm) -> None:
    shop = Shop()
    first = local("2026-10-20 00:00")
    for at in (first - MICROSECOND, first, NOW):
        shop.talk(at, shop.ana)
    await insert(shop, crm.owner)

    answer = await conversions(crm, shop)

    same(answer["period"], {"start": first, "end": TODAY + DAY, "is_partial": True})
    assert of(answer, shop.ana)["total_contacts"] == 2


def _listed(shop: Shop, agent: Agent) -> None:
    shop.session(shop.someone(), START, agent_ids=f'["x", null, "{str(agent.id).upper()}", 5]')


def _joined(shop: Shop, agent: Agent) -> None:
    shop.joined(shop.talk(), agent)


def _wrote(shop: Shop, agent: Agent) -> None:
    shop.reply(shop.talk(), START + 40 * DAY, agent)


def _wrote_as_user(shop: Shop, agent: Agent) -> None:
    shop.message(shop.talk(), START, from_me=True, agent_id=agent.user_id)


async def test_there_are_four_ways_to_take_part_in_a_conversation(crm: Crm) -> None:
    ways: list[Callable[[Shop, Agent], None]] = [_listed, _joined, _wrote, _wrote_as_user]
    for take_part in ways:
        shop = Shop(take_part.__name__)
        take_part(shop, shop.ana)
        await insert(shop, crm.owner)

        same(await conversions(crm, shop), {"stats": [{"agent_id": shop.ana.id, "total_contacts": 1}]}, shop.tenant)


async def test_who_did_not_take_part_has_no_contact(crm: Crm) -> None:
    shop = Shop()
    ana = shop.ana
    shop.joined(shop.talk(), ana, deleted_at=NOW)
    shop.message(shop.talk(), START, from_me=True, agent_id=ana.id, deleted_at=NOW)
    shop.message(shop.talk(), START, agent_id=ana.id)
    shop.message(shop.talk(), START, from_me=None, agent_id=ana.id)
    for source in ("broadcast", "sequence", "trigger", "bot", "system", "webhook", "scheduled", "history_import"):
        shop.reply(shop.talk(), START, ana, source=source)
    shop.talk(START, ana).deleted_at = NOW
    shop.talk(START, ana)
    shop.contacts[-1].deleted_at = NOW
    for text in (None, "null", "[]", "{}", '"x"', "7", f'"{ana.id}"', f'{{"{ana.id}": 1}}', f'[["{ana.id}"]]'):
        shop.session(shop.someone(), START, agent_ids=text)
    # PostgreSQL would read these as ids too; the CRM does not write them.
    for spelling in (ana.id.hex, f"{{{ana.id}}}", f" {ana.id}"):
        shop.session(shop.someone(), START, agent_ids=f'["{spelling}"]')
    await insert(shop, crm.owner)

    answer = await conversions(crm, shop)

    same(answer, {"stats": [], "team": {"total_contacts": 0}})


async def test_agents_that_do_not_count_are_left_out_of_the_team_too(crm: Crm) -> None:
    shop = Shop()
    left_out = [shop.agent("S", "system"), shop.agent("V", "virtual"), shop.agent("Gone", deleted_at=NOW)]
    for agent in left_out:
        shop.talk(START, agent)
    robot = shop.agent("Robô", "ai")
    shop.talk(START, robot)
    await insert(shop, crm.owner)

    answer = await conversions(crm, shop)

    same(answer["stats"], [{"agent_id": robot.id, "agent_type": "ai", "total_contacts": 1}])
    assert answer["team"]["total_contacts"] == 1


async def test_agents_asked_for_are_listed_with_zeros_and_strangers_named(crm: Crm) -> None:
    shop = Shop()
    idle, gone = shop.agent("Idle"), shop.agent("Gone", deleted_at=NOW)
    system = shop.agent("System", "system")
    other = World("tenant-b")
    foreign = other.agent("Foreign")
    shop.talk(START, shop.ana)
    shop.talk(START, shop.agent("Bia"))
    shop.absorb(other)
    await insert(shop, crm.owner)
    strangers = [gone.id, system.id, foreign.id, shop.new_id()]

    asked = [str(agent_id) for agent_id in (shop.ana.id, idle.id, *strangers)]
    answer = await conversions(crm, shop, agent_ids=asked)

    assert set(answer["not_found"]) == {str(agent_id) for agent_id in strangers}
    assert [row["agent_id"] for row in answer["stats"]] == [str(shop.ana.id), str(idle.id)]
    same(of(answer, idle), {"total_contacts": 0, "conversion_rate": None, "ci95": None, "low_sample": True})
    assert answer["team"]["total_contacts"] == 1


async def test_a_rate_stands_beside_its_interval_and_times_beside_their_median(crm: Crm) -> None:
    shop = Shop()
    for hours in (1, 2, 6, None, None, None, None, None, None, None):
        shop.talk(START, shop.ana)
        if hours is not None:
            shop.entry(shop.contacts[-1], shop.won, START + hours * HOUR)
        shop.decision(shop.contacts[-1], "qualified" if hours else "unqualified", NOW)
    await insert(shop, crm.owner)

    answer = await conversions(crm, shop)

    same(
        of(answer, shop.ana),
        {
            "total_contacts": 10,
            "conversion_rate": 0.3,
            "ci95": {"low": 0.1078, "high": 0.6032},
            "win_rate": 1,
            "win_rate_ci95": {"low": 0.4385, "high": 1},
            "qualified": 3,
            "avg_time_to_conversion_seconds": 10_800,
            "median_time_to_conversion_seconds": 7_200,
            "low_sample": False,
        },
    )


async def test_agents_come_in_the_order_of_rate_wins_and_id(crm: Crm) -> None:
    shop = Shop()

    def results(name: str, wins: int, contacts: int) -> Agent:
        agent = shop.agent(name)
        for index in range(contacts):
            shop.talk(START, agent)
            if index < wins:
                shop.entry(shop.contacts[-1], shop.won, START)
        return agent

    half, more_halves, all_of_them = results("A", 1, 2), results("B", 2, 4), results("C", 1, 1)
    nothing = sorted([results("D", 0, 1), results("E", 0, 3)], key=lambda agent: agent.id)
    only_customers = shop.agent("F")
    shop.talk(START, only_customers)
    shop.entry(shop.contacts[-1], shop.won, START - DAY)
    await insert(shop, crm.owner)

    answer = await conversions(crm, shop)

    expected = [all_of_them, more_halves, half, *nothing, only_customers]
    assert [row["agent_id"] for row in answer["stats"]] == [str(agent.id) for agent in expected]


STAGES: list[tuple[dict[str, Any], str, str, str | None]] = [
    ({}, "Ganho", "closed", "conversions"),
    ({}, " GANHO! ", "closed", "conversions"),
    ({}, "Closed - Won", "closed", "conversions"),
    ({}, "Ganho", "active", None),
    ({}, "Arquivado", "closed", None),
    ({}, "CANCELADO", "closed", "lost"),
    ({"won_stage_names": ["Contrato assinado"]}, "CONTRATO ASSINADO!", "active", "conversions"),
    ({"won_stage_names": ["Concluído"]}, "concluido", "closed", "conversions"),
    ({"won_stage_names": ["Contrato assinado"]}, "Ganho", "closed", None),
    ({"won_stage_names": ["Contrato assinado"]}, "Perdido", "closed", "lost"),
    ({"lost_stage_names": ["Não quis"]}, "nao-quis", "open", "lost"),
    ({"lost_stage_names": ["Não quis"]}, "Perdido", "closed", None),
]


async def test_a_stage_means_won_or_lost_by_the_tenants_names_or_by_usual_ones(crm: Crm) -> None:
    for settings, name, status_type, figure in STAGES:
        shop = Shop(f"{name} {status_type} {settings}")
        for key, value in settings.items():
            shop.setting(key, value)
        shop.talk(START, shop.ana)
        shop.entry(shop.contacts[0], shop.stage(name, status_type), START + HOUR)
        await insert(shop, crm.owner)

        row = of(await conversions(crm, shop), shop.ana)

        expected = {"conversions": int(figure == "conversions"), "decided": int(figure is not None)}
        same(row, expected, shop.tenant)


async def test_a_top_agent_is_named_only_where_the_numbers_decide_it(crm: Crm) -> None:
    for wins, others, decisive in ((18, 2, True), (11, 9, False)):
        shop = Shop(f"{wins} against {others}")
        bia = shop.agent("Bia")
        for agent, won in ((shop.ana, wins), (bia, others)):
            for index in range(20):
                shop.talk(START, agent)
                shop.entry(shop.contacts[-1], shop.won if index < won else shop.new, START)
        await insert(shop, crm.owner)

        answer = await conversions(crm, shop)

        same(answer["top_agent"], {"agent_id": shop.ana.id, "agent_name": "Ana"} if decisive else None, shop.tenant)


# Response times by hand

MORNING = local("2026-11-17 09:00")


async def answered(crm: Crm, shop: Shop, tell: Callable[[Session], None], **arguments: Any) -> dict[str, Any]:
    """Tell the same story in ten conversations, the least that is ranked, and return the month's answer."""
    for _ in range(10):
        tell(shop.talk(MORNING))
    await insert(shop, crm.owner)
    return await top(crm, shop, "response_time", **arguments)


async def test_a_wait_runs_from_the_first_unanswered_message_to_the_next_human_one(crm: Crm) -> None:
    shop = Shop()

    def tell(talk: Session) -> None:
        shop.message(talk, MORNING)
        shop.message(talk, MORNING + 5 * MINUTE, from_me=None)
        shop.reply(talk, MORNING + 7 * MINUTE, shop.ana)
        # Nobody waits for a second answer.
        shop.reply(talk, MORNING + 50 * MINUTE, shop.ana)

    answer = await answered(crm, shop, tell)

    same(of(answer, shop.ana, "ranking"), {"value": 420, "p90": 420, "n": 10, "rank": 1})
    first = {"agent_id": shop.ana.id, "agent_name": "Ana", "agent_type": "human", "metric_value": 420}
    same(answer, {**first, "unanswered": 0, "decisive": False, "min_sample": 10})


async def test_a_message_that_nobody_typed_does_not_stop_the_clock(crm: Crm) -> None:
    shop = Shop()

    def tell(talk: Session) -> None:
        shop.message(talk, MORNING)
        for source in ("broadcast", "sequence", "trigger", "bot", "system", "scheduled", "webhook", "history_import"):
            shop.reply(talk, MORNING + MINUTE, shop.ana, source=source)
        shop.reply(talk, MORNING + 9 * MINUTE, shop.ana)

    answer = await answered(crm, shop, tell)

    same(of(answer, shop.ana, "ranking"), {"value": 540, "n": 10, "first_response": {"median": 540, "n": 10}})


async def test_a_manual_message_of_a_machine_does_not_stop_the_clock(crm: Crm) -> None:
    shop = Shop()
    machines = [shop.agent(kind, kind, user=shop.user()) for kind in ("ai", "bot", "system", "virtual", "channel")]
    machines.append(shop.agent("Gone", "ai", user=shop.user(), deleted_at=NOW))

    def tell(talk: Session) -> None:
        shop.message(talk, MORNING)
        for machine in machines:
            shop.reply(talk, MORNING + MINUTE, machine)
            shop.message(talk, MORNING + 2 * MINUTE, from_me=True, agent_id=machine.user_id)
        shop.reply(talk, MORNING + 9 * MINUTE, shop.ana)

    answer = await answered(crm, shop, tell)

    same(answer, {"ranking": [{"agent_id": shop.ana.id, "value": 540, "n": 10}]})


async def test_a_human_who_counts_for_nobody_stops_the_clock(crm: Crm) -> None:
    """Without an agent, of an agent unknown here, of one that is gone, of another tenant's: somebody did answer."""
    shop = Shop()
    gone = shop.agent("Gone", deleted_at=NOW)
    other = World("tenant-b")
    foreign = other.agent("Foreign")
    shop.absorb(other)
    senders = [None, shop.new_id(), gone.id, gone.user_id, foreign.id]

    def tell(talk: Session) -> None:
        at = MORNING
        for sender in senders:
            shop.message(talk, at)
            shop.message(talk, at + MINUTE, from_me=True, agent_id=sender)
            at += HOUR
        shop.message(talk, at)
        shop.reply(talk, at + 3 * MINUTE, shop.ana)

    answer = await answered(crm, shop, tell)

    same(answer, {"unanswered": 0, "ranking": [{"agent_id": shop.ana.id, "value": 180, "n": 10}]})
    assert str(gone.id) not in ids(answer, "excluded")


async def test_messages_under_a_users_id_are_its_agents(crm: Crm) -> None:
    shop = Shop()

    def tell(talk: Session) -> None:
        shop.message(talk, MORNING)
        shop.message(talk, MORNING + MINUTE, from_me=True, agent_id=shop.ana.user_id)

    answer = await answered(crm, shop, tell)

    same(of(answer, shop.ana, "ranking"), {"value": 60, "n": 10})


async def test_the_one_who_answers_is_credited_not_the_one_listed(crm: Crm) -> None:
    shop = Shop()
    bia = shop.agent("Bia")

    def tell(talk: Session) -> None:
        talk.agent_ids = f'["{bia.id}"]'
        shop.message(talk, MORNING)
        shop.reply(talk, MORNING + MINUTE, shop.ana)
        shop.message(talk, MORNING + 2 * MINUTE)
        shop.reply(talk, MORNING + 5 * MINUTE, bia)

    answer = await answered(crm, shop, tell)

    same([(row["agent_id"], row["value"]) for row in answer["ranking"]], [(shop.ana.id, 60), (bia.id, 180)])
    assert answer["decisive"] is True


async def test_an_answer_counts_after_the_periods_end_but_not_after_now(crm: Crm) -> None:
    shop = Shop()
    midnight = TODAY

    def tell(talk: Session) -> None:
        shop.message(talk, midnight - MINUTE)
        shop.reply(talk, midnight + MINUTE, shop.ana)
        # Of the next day, whoever answers it.
        shop.message(talk, midnight + 2 * MINUTE)
        shop.reply(talk, midnight + 9 * MINUTE, shop.ana)

    late = shop.talk(MORNING)
    shop.message(late, midnight - MINUTE)
    shop.reply(late, NOW + SECOND, shop.ana)
    never = shop.talk(MORNING)
    shop.message(never, midnight - MICROSECOND)
    tomorrow = shop.talk(MORNING)
    shop.message(tomorrow, midnight)
    earlier = shop.talk(MORNING)
    shop.message(earlier, MORNING - 2 * DAY)
    shop.reply(earlier, MORNING, shop.ana)

    day = "2026-11-17"
    answer = await answered(crm, shop, tell, label="custom", start_date=day, end_date=day)

    same(answer, {"unanswered": 2, "ranking": [{"agent_id": shop.ana.id, "value": 120, "n": 10}]})


async def test_messages_of_one_moment_are_in_the_order_of_their_ids(crm: Crm) -> None:
    shop = Shop()

    def tell(talk: Session) -> None:
        one, other = shop.message(talk, MORNING), shop.reply(talk, MORNING, shop.ana)
        one.id, other.id = sorted([one.id, other.id])
        # This one was answered before it came.
        unheard, before = shop.message(talk, MORNING + HOUR), shop.reply(talk, MORNING + HOUR, shop.ana)
        before.id, unheard.id = sorted([before.id, unheard.id])

    answer = await answered(crm, shop, tell)

    same(answer, {"unanswered": 10, "ranking": [{"value": 0, "n": 10}]})


async def test_what_was_deleted_neither_starts_nor_stops_a_clock(crm: Crm) -> None:
    shop = Shop()

    def tell(talk: Session) -> None:
        shop.message(talk, MORNING, deleted_at=NOW)
        shop.message(talk, MORNING + MINUTE)
        shop.message(talk, MORNING + 2 * MINUTE, from_me=True, agent_id=shop.ana.id, deleted_at=NOW)
        shop.reply(talk, MORNING + 6 * MINUTE, shop.ana)

    gone = shop.talk(MORNING)
    gone.deleted_at = NOW
    shop.message(gone, MORNING)
    shop.reply(gone, MORNING + HOUR, shop.ana)
    shop.message(gone, MORNING + 2 * HOUR)

    answer = await answered(crm, shop, tell)

    same(answer, {"unanswered": 0, "ranking": [{"value": 300, "n": 10, "first_response": {"median": 300, "n": 10}}]})


async def test_messages_outside_any_conversation_are_no_conversation(crm: Crm) -> None:
    shop = Shop()

    def tell(talk: Session) -> None:
        shop.message(talk, MORNING).session_id = None
        shop.message(talk, MORNING + MINUTE)
        shop.reply(talk, MORNING + 2 * MINUTE, shop.ana).session_id = None
        shop.reply(talk, MORNING + 6 * MINUTE, shop.ana)

    answer = await answered(crm, shop, tell)

    same(answer, {"unanswered": 0, "ranking": [{"value": 300, "n": 10}]})


async def test_a_wait_ends_only_in_its_own_conversation(crm: Crm) -> None:
    shop = Shop()
    contact = shop.someone()
    first = shop.session(contact, MORNING)
    shop.message(first, MORNING)
    shop.reply(shop.session(contact, MORNING + HOUR), MORNING + HOUR, shop.ana)
    await insert(shop, crm.owner)

    same(await top(crm, shop, "response_time"), {"unanswered": 1, "ranking": []})


async def test_a_first_response_is_to_a_conversation_that_the_customer_opened(crm: Crm) -> None:
    shop = Shop()

    def tell(talk: Session) -> None:
        shop.message(talk, MORNING)
        shop.reply(talk, MORNING + 10 * SECOND, shop.ana)
        shop.message(talk, MORNING + HOUR)
        shop.reply(talk, MORNING + HOUR + 30 * SECOND, shop.ana)

    ours = shop.talk(MORNING)
    shop.reply(ours, MORNING, shop.ana, source="broadcast")
    shop.message(ours, MORNING + MINUTE)
    shop.reply(ours, MORNING + 3 * MINUTE, shop.ana)

    answer = await answered(crm, shop, tell)

    same(of(answer, shop.ana, "ranking"), {"value": 30, "n": 21, "first_response": {"median": 10, "n": 10}})


BUSINESS_HOURS = [
    # Friday evening to Monday morning, with a Saturday between.
    ("2026-11-06 17:30", "2026-11-09 08:30", 1800 + 4 * 3600 + 1800),
    ("2026-11-04 10:00", "2026-11-04 10:00:30", 30),
    ("2026-11-04 20:00", "2026-11-04 23:00", 0),
    ("2026-11-01 12:00", "2026-11-02 08:00", 0),
    ("2026-11-02 07:00", "2026-11-16 07:00", 2 * (5 * 10 + 4) * 3600),
]


async def test_with_business_hours_only_their_seconds_count(crm: Crm) -> None:
    for asked, replied, seconds in BUSINESS_HOURS:
        shop = Shop(f"{asked} to {replied}")
        shop.setting("business_hours", "mon-fri 08:00-18:00; sat 09:00-13:00")
        answer = await answered(crm, shop, _question_and_answer(shop, local(asked), local(replied)))
        same(of(answer, shop.ana, "ranking"), {"value": seconds, "first_response": {"median": seconds}}, shop.tenant)


def _question_and_answer(shop: Shop, asked: datetime, replied: datetime) -> Callable[[Session], None]:
    def tell(talk: Session) -> None:
        shop.message(talk, asked)
        shop.reply(talk, replied, shop.ana)

    return tell


async def test_business_hours_are_hours_that_passed_when_clocks_change(crm: Crm) -> None:
    """The night of November had no hour from 00:00 to 01:00; that of February had two from 23:00 to 24:00."""
    twice = datetime(2018, 2, 18, 1, 50, tzinfo=UTC)
    changes = [
        ("2018-11-03", local("2018-11-03 20:00"), local("2018-11-04 09:00"), (4 + 2) * 3600),
        ("2018-02-17", local("2018-02-17 20:00"), local("2018-02-18 09:00"), (4 + 1 + 3) * 3600),
        # From 23:50 to the second 23:10.
        ("2018-02-17", twice, twice + 20 * MINUTE, 1200),
    ]
    for day, asked, replied, seconds in changes:
        shop = Shop(f"{asked} to {replied}")
        shop.setting("business_hours", "mon-sun 00:00-03:00; mon-sun 20:00-24:00")
        tell = _question_and_answer(shop, asked, replied)
        answer = await answered(
            crm, shop, tell, label="custom", start_date=day, end_date=day, now=local("2018-12-01 12:00")
        )
        same(of(answer, shop.ana, "ranking"), {"value": seconds}, shop.tenant)


async def test_a_median_stands_beside_its_90th_percentile_and_order_statistics(crm: Crm) -> None:
    shop = Shop()
    for seconds in range(10, 110, 10):
        talk = shop.talk(MORNING)
        shop.message(talk, MORNING)
        shop.reply(talk, MORNING + seconds * SECOND, shop.ana)
    await insert(shop, crm.owner)

    answer = await top(crm, shop, "response_time", "week")

    # Of ten values the second and the ninth hold the median with 97.9 %; the third and the eighth only with 89 %.
    same(of(answer, shop.ana, "ranking"), {"value": 55, "p90": 91, "ci95": {"low": 20, "high": 90}, "n": 10})


# Shares by hand


def judged(shop: Shop, agent: Agent, good: int, bad: int) -> None:
    """Make ended conversations in which the agent wrote, some of them resolved."""
    for index in range(good + bad):
        talk = shop.talk(MORNING)
        shop.reply(talk, MORNING + SECOND, agent)
        talk.ended_at, talk.resolved = MORNING + HOUR, index < good


# (good, bad) cases of each agent, their order, and whether the first is surely ahead.
CONTESTS: list[tuple[list[tuple[int, int]], list[int], bool]] = [
    ([(20, 0), (2, 18)], [0, 1], True),
    ([(12, 8), (10, 10)], [0, 1], False),
    # A higher share of few cases has the lower conservative end.
    ([(10, 0), (95, 5)], [1, 0], False),
    # Far ahead of one of two is not ahead of both.
    ([(20, 0), (18, 2), (2, 18)], [0, 1, 2], False),
    ([(20, 0)], [0], False),
    ([(20, 0), (0, 9)], [0], False),
]


async def test_a_first_place_is_decisive_only_against_every_other(crm: Crm) -> None:
    for results, order, decisive in CONTESTS:
        shop = Shop(str(results))
        agents = [shop.agent(f"Agent {index}") for index in range(len(results))]
        for agent, (good, bad) in zip(agents, results, strict=True):
            judged(shop, agent, good, bad)
        await insert(shop, crm.owner)

        answer = await top(crm, shop, "resolution_rate")

        ranking = [{"agent_id": agents[index].id} for index in order]
        good, bad = results[order[0]]
        first = {"agent_id": agents[order[0]].id, "metric_value": good / (good + bad)}
        same(answer, {"ranking": ranking, "decisive": decisive, **first}, shop.tenant)


async def test_who_has_fewer_than_ten_cases_is_excluded_with_a_reason(crm: Crm) -> None:
    shop = Shop()
    bia = shop.agent("Bia")
    judged(shop, shop.ana, 9, 0)
    judged(shop, bia, 1, 9)
    await insert(shop, crm.owner)

    answer = await top(crm, shop, "resolution_rate", "week")

    assert ids(answer, "ranking") == {str(bia.id)}
    assert of(answer, shop.ana, "excluded")["reason"]
    assert answer["agent_id"] == str(bia.id)


async def test_equal_agents_come_in_the_order_of_their_ids(crm: Crm) -> None:
    shop = Shop()
    agents = sorted([shop.ana, shop.agent("Bia"), shop.agent("Caio")], key=lambda agent: agent.id)
    for agent in agents:
        judged(shop, agent, 6, 4)
    await insert(shop, crm.owner)

    answer = await top(crm, shop, "resolution_rate")

    assert [row["agent_id"] for row in answer["ranking"]] == [str(agent.id) for agent in agents]
    for row in answer["ranking"]:
        assert {*row["tied_with"], row["agent_id"]} == ids(answer, "ranking")


async def test_a_resolution_is_of_a_conversation_that_ended_in_the_period_and_its_last_humans(crm: Crm) -> None:
    shop = Shop()
    bia, gone, robot = shop.agent("Bia"), shop.agent("Gone", deleted_at=NOW), shop.agent("Robô", "ai")
    judged(shop, bia, 4, 6)
    for talk in shop.sessions:
        # The last human who counts is Bia, whoever wrote before or is no human here.
        shop.reply(talk, MORNING, shop.ana)
        for at, sender in enumerate((robot.id, gone.id, None, shop.new_id()), start=2):
            shop.message(talk, MORNING + at * SECOND, from_me=True, agent_id=sender)
        shop.reply(talk, MORNING + MINUTE, shop.ana, source="broadcast")
    for ended_at in (None, TODAY - 30 * DAY, NOW + SECOND):
        talk = shop.talk(MORNING)
        shop.reply(talk, MORNING, bia)
        talk.ended_at, talk.resolved = ended_at, True
    judged(shop, bia, 1, 0)
    shop.sessions[-1].deleted_at = NOW
    await insert(shop, crm.owner)

    same(await top(crm, shop, "resolution_rate"), {"ranking": [{"agent_id": bia.id, "value": 0.4, "n": 10}]})


async def test_satisfaction_is_the_share_of_four_and_five_stars_of_the_last_human_until_then(crm: Crm) -> None:
    shop = Shop()
    bia = shop.agent("Bia")
    for stars in (1, 2, 3, 4, 4, 4, 5, 5, 5, 5):
        talk = shop.talk(MORNING - 60 * DAY, shop.ana)
        talk.sentiment = "negative"
        shop.reply(talk, MORNING - HOUR, shop.ana)
        shop.message(talk, MORNING, from_me=True, agent_id=bia.user_id)
        shop.reply(talk, MORNING + MICROSECOND, shop.ana)
        shop.rating(talk, stars, MORNING)
        shop.rating(talk, 1, MORNING, deleted_at=NOW)
        shop.rating(talk, 1, MORNING - 2 * HOUR)
        shop.rating(talk, 1, MORNING - 30 * DAY)
    await insert(shop, crm.owner)

    same(await top(crm, shop, "satisfaction"), {"ranking": [{"agent_id": bia.id, "value": 0.7, "n": 10}]})


async def test_a_rating_of_a_deleted_conversation_does_not_count(crm: Crm) -> None:
    shop = Shop()
    for index in range(11):
        talk = shop.talk(MORNING)
        shop.reply(talk, MORNING - HOUR, shop.ana)
        shop.rating(talk, 5 if index else 1, MORNING)
    shop.sessions[0].deleted_at = NOW
    await insert(shop, crm.owner)

    same(await top(crm, shop, "satisfaction"), {"ranking": [{"agent_id": shop.ana.id, "value": 1.0, "n": 10}]})


async def test_without_any_rating_satisfaction_is_the_share_of_positive_sentiments(crm: Crm) -> None:
    shop = Shop()
    other = World("tenant-b")
    theirs = other.session(other.contact(MORNING), MORNING)
    other.rating(theirs, 5, MORNING)
    for sentiment in ("positive",) * 8 + ("neutral", "negative", None):
        talk = shop.talk(MORNING)
        talk.sentiment = sentiment
        shop.reply(talk, MORNING, shop.ana)
    before = shop.talk(TODAY - 30 * DAY)
    before.sentiment = "positive"
    shop.reply(before, MORNING, shop.ana)
    shop.absorb(other)
    await insert(shop, crm.owner)

    same(await top(crm, shop, "satisfaction"), {"ranking": [{"agent_id": shop.ana.id, "value": 0.8, "n": 10}]})


async def test_one_rating_of_long_ago_makes_ratings_the_source(crm: Crm) -> None:
    shop = Shop()
    for _ in range(10):
        talk = shop.talk(MORNING)
        talk.sentiment = "positive"
        shop.reply(talk, MORNING, shop.ana)
    shop.rating(shop.sessions[0], 5, NOW - 700 * DAY)
    await insert(shop, crm.owner)

    same(await top(crm, shop, "satisfaction"), {"ranking": [], "agent_id": None, "metric_value": None})


async def test_conversion_and_win_rates_are_those_of_the_conversion_stats(crm: Crm) -> None:
    shop = Shop()
    shop.setting("conversion_window_days", 2)
    robot = shop.agent("Robô", "ai")
    stages = [shop.won] * 6 + [shop.lost] * 4 + [shop.new] * 5
    for stage in stages:
        shop.talk(START, robot)
        shop.entry(shop.contacts[-1], stage, START + DAY)
    shop.talk(START, robot)
    shop.entry(shop.contacts[-1], shop.won, START - DAY)
    await insert(shop, crm.owner)

    first = {"agent_id": robot.id, "agent_type": "ai"}
    conversion = await top(crm, shop, "conversion_rate")
    same(conversion, {**first, "metric_value": 6 / 15, "ranking": [{"n": 15, "ci95": {"low": 0.1982, "high": 0.6425}}]})
    wins = await top(crm, shop, "win_rate")
    same(wins, {**first, "metric_value": 0.6, "ranking": [{"n": 10, "ci95": {"low": 0.3127, "high": 0.8318}}]})
