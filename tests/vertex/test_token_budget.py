"""Nobody spends more than a call may, nor more than its tenant may in a day, however many ask at once."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from aiohttp import web

from handlers.messages.model.prompt import build
from handlers.messages.model.scoring import BATCH
from handlers.messages.model.token_budget import TokenBudget
from handlers.messages.quality import Brand
from rpc_server.backends.postgres import Postgres
from tests.vertex.conftest import Desk, sample, until_true
from tests.vertex.fake import TOKENS, Asked, FakeVertex, generated, judged, well


def reserved_for(**of_sample: str) -> int:
    """Return what a full batch reserves."""
    return build(sample(BATCH, **of_sample), Brand(), "x" * 32).estimate


RESERVED = reserved_for()


async def test_a_call_asks_for_no_more_than_its_budget_holds(fake: FakeVertex, desk: Desk) -> None:
    scored = await desk.score(sample(80), call_tokens=RESERVED + 2 * TOKENS)

    assert (len(scored.scores), len(fake.asked)) == (24, 3)
    assert (scored.left, scored.failed, scored.stopped, scored.partial) == (56, 0, "over_budget", True)
    assert scored.tokens == 3 * TOKENS


async def test_a_budget_too_small_for_one_request_asks_nobody(fake: FakeVertex, desk: Desk) -> None:
    for call_tokens, daily_tokens in ((RESERVED - 1, RESERVED), (RESERVED, RESERVED - 1), (RESERVED, 0)):
        scored = await desk.score(sample(8), call_tokens=call_tokens, daily_tokens=daily_tokens)
        assert (scored.scores, scored.left, scored.stopped, scored.tokens) == ([], 8, "over_budget", 0)

    assert (fake.asked, await desk.usage()) == ([], 0)


async def test_what_costs_less_than_it_reserved_makes_room_for_more(fake: FakeVertex, desk: Desk) -> None:
    """There is room for one reservation at a time, and in the end for all."""
    scored = await desk.score(sample(40), call_tokens=RESERVED + 4 * TOKENS)

    assert (len(scored.scores), fake.most_running, scored.stopped) == (40, 1, None)


async def test_a_tenant_s_day_is_shared_by_its_calls(fake: FakeVertex, desk: Desk) -> None:
    budget = RESERVED + 2 * TOKENS
    first = await desk.score(sample(16), daily_tokens=budget)
    second = await desk.score(sample(24, text="Outra coisa"), daily_tokens=budget)

    assert (len(first.scores), first.stopped) == (16, None)
    assert (len(second.scores), second.left, second.stopped) == (8, 16, "over_budget")
    assert await desk.usage() == 3 * TOKENS <= budget


async def test_kept_scores_cost_nothing_however_little_is_left(fake: FakeVertex, desk: Desk) -> None:
    await desk.score(sample(8))
    scored = await desk.score(sample(8), daily_tokens=0)

    assert (scored.cached, scored.stopped) == (8, None)


async def test_another_tenant_and_another_day_have_budgets_of_their_own(fake: FakeVertex, desk: Desk) -> None:
    budget = RESERVED
    now = datetime(2026, 11, 22, 23, 59, tzinfo=UTC)
    texts = iter("abcdefgh")

    async def tries(tenant: str, moment: datetime) -> int:
        scored = await desk.score(
            sample(8, text=f"Texto {next(texts)}"), tenant=tenant, now=moment, daily_tokens=budget
        )
        return len(scored.scores)

    assert await tries("tenant-a", now) == 8
    assert await tries("tenant-a", now) == 0
    assert await tries("tenant-b", now) == 8
    assert await tries("tenant-a", now + timedelta(minutes=1)) == 8
    # The day is UTC's, wherever the moment is told.
    in_brazil = datetime.fromisoformat("2026-11-22T21:01:00-03:00")
    assert await tries("tenant-b", in_brazil) == 8
    days = await desk.crm.owner.fetch("select tenant_id, day, tokens from mcp_store.model_usage order by 1, 2")
    assert [tuple(row) for row in days] == [
        ("tenant-a", date(2026, 11, 22), TOKENS),
        ("tenant-a", date(2026, 11, 23), TOKENS),
        ("tenant-b", date(2026, 11, 22), TOKENS),
        ("tenant-b", date(2026, 11, 23), TOKENS),
    ]


async def test_calls_at_the_same_time_on_several_servers_never_reserve_more_than_there_is(
    fake: FakeVertex, desk: Desk
) -> None:
    release = asyncio.Event()
    texts = ("Um texto a", "Um texto b")
    each = reserved_for(text=texts[0])

    async def hold(asked: Asked, request: web.Request) -> web.StreamResponse:
        await release.wait()
        return await well(asked, request)

    fake.answer = hold
    async with (
        Postgres(desk.crm.server_url, size=4, acquire_seconds=30) as one,
        Postgres(desk.crm.server_url, size=4, acquire_seconds=30) as other,
    ):
        desks = [Desk(desk.crm, desk.model), Desk(desk.crm, desk.model)]
        for server, counter in zip((one, other), desks, strict=True):
            counter.crm = _of(desk, server)
        # Room for three requests at a time; four batches are asked for on each server.
        runs = [
            asyncio.create_task(counter.score(sample(32, text=text), daily_tokens=3 * each))
            for counter, text in zip(desks, texts, strict=True)
        ]
        await until_true(lambda: fake.running == 3)
        reserved = [await desk.usage() for _ in range(20)]
        assert fake.running == 3
        release.set()
        both = await asyncio.gather(*runs)

    assert max(reserved) == 3 * each
    assert fake.most_running == 3
    assert await desk.usage() == sum(scored.tokens for scored in both)


def _of(desk: Desk, server: Postgres) -> Any:
    """Return the desk's CRM as another server reaches it."""

    class Elsewhere:
        postgres = server
        owner = desk.crm.owner
        now = desk.crm.now

    return Elsewhere()


async def test_what_a_process_reserved_and_never_settled_is_spent(fake: FakeVertex, desk: Desk) -> None:
    async def never(asked: Asked, request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(3600)
        raise AssertionError

    fake.answer = never
    dying = asyncio.create_task(desk.score(sample(8)))
    await until_true(lambda: fake.running == 1)
    dying.cancel()
    await asyncio.wait([dying])

    assert await desk.usage() == RESERVED


@pytest.mark.parametrize("told", [None, 0, -1])
async def test_an_answer_that_does_not_tell_its_cost_costs_what_was_reserved(
    fake: FakeVertex, desk: Desk, told: int | None
) -> None:
    async def secretive(asked: Asked, request: web.Request) -> web.StreamResponse:
        return generated({"messages": judged(asked)}, tokens=told)

    fake.answer = secretive
    scored = await desk.score(sample(8))

    assert scored.tokens == RESERVED == await desk.usage()


async def test_an_answer_that_cost_more_than_was_reserved_is_counted_as_it_is(fake: FakeVertex, desk: Desk) -> None:
    async def dear(asked: Asked, request: web.Request) -> web.StreamResponse:
        return generated({"messages": judged(asked)}, tokens=10 * RESERVED)

    fake.answer = dear
    scored = await desk.score(sample(8), daily_tokens=2 * RESERVED)

    assert scored.tokens == 10 * RESERVED == await desk.usage()
    assert (await desk.score(sample(8, text="Outra"), daily_tokens=2 * RESERVED)).stopped == "over_budget"


async def test_usage_never_falls_below_nothing(desk: Desk) -> None:
    """Whoever corrects a row that somebody has reset meanwhile."""
    with pytest.raises(asyncpg.CheckViolationError):
        await desk.crm.owner.execute("insert into mcp_store.model_usage values ('tenant-a', current_date, -1)")
    call = desk.call()
    budget = TokenBudget(call, of_call=1_000, of_day=1_000)
    assert await budget.reserve(700)
    await desk.crm.owner.execute("update mcp_store.model_usage set tokens = 0")
    async with call.store() as db:
        await budget.settle(db, reserved=700, spent=100)
        await db.commit()

    assert await desk.usage() == 0
