"""Counts of waits say the same as the waits, whichever days are counted."""

from datetime import timedelta

import pytest

from rpc_server.contract.query import SQL_FOLDER
from tests.conftest import Crm
from tests.database import settle
from tests.facts.changes import TENANTS
from tests.facts.conftest import NOW, two
from tests.facts.counts import (
    ALWAYS,
    WHENEVER,
    busy_days,
    count_days_of,
    counted_days,
    response_times,
    whole,
    wrong_counts,
)
from tests.facts.facts import differences
from tests.tenancy.access import acting
from tests.tools.world import insert


async def test_a_day_is_counted_from_when_it_has_waits_enough(crm: Crm) -> None:
    await count_days_of(crm.owner, 4)
    await insert(two(3), crm.owner)
    await settle(crm.owner)

    for tenant in TENANTS:
        days = await counted_days(crm.owner, tenant)
        assert days == await busy_days(crm.owner, tenant, 4)
        assert 0 < len(days) < len(await busy_days(crm.owner, tenant, 0))
        assert await wrong_counts(crm.owner, tenant) == []


async def test_ordinary_tenants_have_no_counts(crm: Crm) -> None:
    await insert(two(3), crm.owner)
    await settle(crm.owner)

    assert not any([await counted_days(crm.owner, tenant) for tenant in TENANTS])
    assert await crm.owner.fetchval("select count(*) from mcp_store.fact_wait_counts") == 0


async def test_a_day_stays_counted_when_its_waits_become_few(settled: Crm) -> None:
    days = await counted_days(settled.owner, "tenant-a")
    await settled.owner.execute("update public.messages set deleted_at = now() where tenant_id = 'tenant-a'")
    assert await wrong_counts(settled.owner, "tenant-a") == []
    await settle(settled.owner)

    assert await wrong_counts(settled.owner, "tenant-a") == []
    assert await counted_days(settled.owner, "tenant-a") == days
    assert await response_times(settled.owner, "tenant-a", **whole(days), **WHENEVER) == []


async def test_counts_are_what_answers_come_from(settled: Crm) -> None:
    """Else a test that holds answers equal would look at the same waits twice."""
    period = whole(await counted_days(settled.owner, "tenant-a"))
    before = sum(row["n"] for row in await response_times(settled.owner, "tenant-a", **period, **WHENEVER))
    await settled.owner.execute(
        "update mcp_store.fact_wait_counts set n = n + 1 where (tenant_id, day, agent_id, length) ="
        " (select tenant_id, day, agent_id, length from mcp_store.fact_wait_counts"
        "   where tenant_id = 'tenant-a' and length >= 0 and n > 0 limit 1)"
    )

    after = sum(row["n"] for row in await response_times(settled.owner, "tenant-a", **period, **WHENEVER))
    assert after == before + 1
    assert len(await wrong_counts(settled.owner, "tenant-a")) > 0


async def test_waits_that_were_there_before_are_counted(crm: Crm) -> None:
    await insert(two(4), crm.owner)
    await settle(crm.owner)
    await count_days_of(crm.owner, 2)
    text = (SQL_FOLDER / "crm" / "0010_counted_waits.sql").read_text(encoding="utf-8")

    await crm.owner.execute(text[text.index("\n-- Waits that were there before.") :])

    for tenant in TENANTS:
        assert await counted_days(crm.owner, tenant) == await busy_days(crm.owner, tenant, 2)
    assert await differences(crm.owner, *TENANTS) == []


@pytest.mark.parametrize("change", [None, "update public.contacts set deleted_at = now() where tenant_id = 'tenant-b'"])
async def test_counts_are_the_tenants_own(settled: Crm, change: str | None) -> None:
    """By the functions that pass by the views, with another's contacts marked and without."""
    period = whole(await counted_days(settled.owner, "tenant-a") | await counted_days(settled.owner, "tenant-b"))
    own = await response_times(settled.owner, "tenant-a", **period, **WHENEVER)
    if change:
        await settled.owner.execute(change)

    assert await response_times(settled.owner, "tenant-a", **period, **WHENEVER) == own != []
    theirs = {str(row[0]) for row in await settled.owner.fetch("select id from agents where tenant_id = 'tenant-b'")}
    assert not theirs & {str(row["agent_id"]) for row in own}
    for tenant in ("nobody", None):
        async with acting(settled.owner, tenant):
            bounds = period.values()
            assert not await settled.owner.fetchval("select mcp.waits_are_counted($1, $2, $3)", *bounds)
            assert await settled.owner.fetch("select * from mcp.counted_response_times($1, $2, $3)", *bounds) == []


async def test_a_day_counts_only_when_all_of_it_is_over(settled: Crm) -> None:
    """Whose answer came after now has it still among the unanswered, be the day counted or not."""
    owner = settled.owner
    row = await owner.fetchrow(
        "select d.day, d.latest, max(f.until) as until from mcp_store.fact_wait_days d"
        "  join mcp_store.fact_waits f on f.tenant_id = d.tenant_id and f.since >= d.day"
        "   and f.since < d.day + interval '24 hours'"
        " where d.tenant_id = 'tenant-a' group by 1, 2 having max(f.until) = d.latest limit 1"
    )
    assert row is not None
    day = {"start": row["day"], "end": row["day"] + timedelta(days=1)}

    async def unanswered(now: object) -> int:
        return sum(r["unanswered"] for r in await response_times(owner, "tenant-a", now=now, **day, **WHENEVER))

    async with acting(owner, "tenant-a"):
        are = [
            await owner.fetchval("select mcp.waits_are_counted($1, $2, $3)", *day.values(), now)
            for now in (row["latest"], row["latest"] - timedelta(microseconds=1))
        ]
    assert are == [True, False]
    assert await unanswered(row["until"] - timedelta(microseconds=1)) > await unanswered(row["until"])


async def test_an_answer_that_comes_later_moves_the_moment_by_which_its_day_was_over(settled: Crm) -> None:
    days = "select day, latest from mcp_store.fact_wait_days where tenant_id = $1 order by day"
    own, theirs = [await settled.owner.fetch(days, tenant) for tenant in TENANTS]
    await settled.owner.execute(
        'update public.messages set "timestamp" = "timestamp" + interval \'40 days\''
        " where tenant_id = 'tenant-a' and source = 'manual' and from_me"
    )
    await settle(settled.owner)

    assert await wrong_counts(settled.owner, "tenant-a") == []
    moved = await settled.owner.fetch(days, "tenant-a")
    assert sum(now["latest"] > before["latest"] for now, before in zip(moved, own, strict=True)) > 10
    assert await settled.owner.fetch(days, "tenant-b") == theirs


async def test_of_many_waits_the_wanted_places_are_found(settled: Crm) -> None:
    """So many that the middle is far from all of them, and lengths are next to each other."""
    days = [NOW.replace(month=1, day=day, hour=0) for day in (5, 6)]
    await settled.owner.execute("select setseed(0.5)")
    await settled.owner.execute(
        """
        insert into mcp_store.fact_waits (tenant_id, contact_id, agent_id, since, until, microseconds, from_opening)
        select 'tenant-a', gen_random_uuid(), a.id, w.since, w.since + w.us * interval '1 microsecond', w.us, w.is_first
          from (select id from public.agents where tenant_id = 'tenant-a' and deleted_at is null order by id limit 2) a
         cross join lateral (
               select $1::timestamptz + random() * interval '2 days' as since,
                      (random() * random() * 2e9)::bigint as us,
                      random() < 0.3 as is_first
                 from generate_series(1, 3000)
                where a.id is not null) w
        """,
        days[0],
    )
    await settled.owner.execute("select mcp.count_waits('tenant-a', $1)", days)

    for period in (whole(set(days)), whole(set(days)) | {"start": days[0] + timedelta(hours=7)}):
        told, all_sorted = [
            await response_times(settled.owner, "tenant-a", **period, **hours) for hours in (WHENEVER, ALWAYS)
        ]
        assert told == all_sorted
        assert [row["n"] > 1000 for row in told] == [True, True]
        assert all(len(row["middle"]) < row["n"] / 2 for row in told)


async def test_lengths_are_in_the_order_of_the_waits_and_enclose_them(crm: Crm) -> None:
    rows = await crm.owner.fetch(
        """
        select m,
               mcp.wait_length(m) as length,
               mcp.length_microseconds(mcp.wait_length(m) - 1) as low,
               mcp.length_microseconds(mcp.wait_length(m) + 1) as high
          from (select (10 ^ e * k)::bigint + d as m
                  from generate_series(0, 17) e, generate_series(0, 9) k, generate_series(-1, 1) d) waits
         where m >= 0
         order by m
        """
    )

    assert [row["length"] for row in rows] == sorted(row["length"] for row in rows)
    assert all(row["low"] <= row["m"] <= row["high"] for row in rows)
    assert len({row["length"] for row in rows}) > 100
    assert await crm.owner.fetchval("select mcp.wait_length(null)") == -1


async def test_a_contact_that_has_gone_is_marked_also_where_everybody_is(crm: Crm) -> None:
    """It has no conversation and no stage by which it could be known."""
    await insert(two(3), crm.owner)
    await crm.owner.execute(
        "insert into public.contacts (id, project_id, tenant_id, name)"
        " select '00000000-0000-4000-8000-000000000001', id, tenant_id, 'Rita' from public.projects"
        "  where tenant_id = 'tenant-a' limit 1"
    )
    await settle(crm.owner)
    await crm.owner.execute("update public.contacts set tenant_id = 'tenant-b' where name = 'Rita'")
    await crm.owner.execute("insert into mcp_store.tenant_settings values ('tenant-a', 'won_stage_names', '[\"x\"]')")

    assert await differences(crm.owner, *TENANTS) == []
