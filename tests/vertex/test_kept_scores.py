"""Scores are paid for once: the same message, question, guide, rubric, model and tenant, for 180 days."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from handlers.messages.model.kept_scores import FIND_SCORES, FORGET_SCORES, KeptScores
from handlers.messages.model.rubric import RUBRIC
from handlers.messages.quality import Brand, MessageScore
from rpc_server.contract.query import Query
from tests.conftest import Crm
from tests.vertex.conftest import Desk, StartVertex, ids_of, sample
from tests.vertex.fake import TOKENS, FakeVertex, always, generated, well


async def rows(crm: Crm) -> list[dict[str, Any]]:
    return [dict(row) for row in await crm.owner.fetch("select * from mcp_store.message_scores order by digest")]


async def test_a_second_run_asks_nobody_and_says_the_same(fake: FakeVertex, desk: Desk) -> None:
    messages, brand = sample(20), Brand("Trate por você.")
    first = await desk.score(messages, brand=brand)
    asked = len(fake.asked)
    second = await desk.score(messages, brand=brand)

    assert len(fake.asked) == asked
    assert (second.cached, second.tokens, second.stopped) == (20, 0, None)
    assert sorted(second.scores, key=lambda s: s.message_id) == sorted(first.scores, key=lambda s: s.message_id)
    assert all(score.findings for score in second.scores)
    assert desk.told[-1] == (20, 20)


async def test_the_same_words_in_another_message_are_known(fake: FakeVertex, desk: Desk) -> None:
    await desk.score(sample(8))
    again = sample(8)
    scored = await desk.score(again)

    assert (len(fake.asked), scored.cached) == (1, 8)
    assert {score.message_id for score in scored.scores} == ids_of(again)


async def test_only_what_is_not_known_is_asked_for(fake: FakeVertex, desk: Desk) -> None:
    await desk.score(sample(5))
    scored = await desk.score(sample(9))

    assert [len(asked.messages) for asked in fake.asked] == [5, 4]
    assert (scored.cached, len(scored.scores)) == (5, 9)


async def test_another_tenant_with_the_same_text_asks_for_itself(fake: FakeVertex, desk: Desk) -> None:
    messages = sample(8)
    await desk.score(messages, tenant="tenant-a")
    scored = await desk.score(messages, tenant="tenant-b")

    assert (len(fake.asked), scored.cached, scored.tokens) == (2, 0, TOKENS)
    assert (await desk.usage("tenant-a"), await desk.usage("tenant-b")) == (TOKENS, TOKENS)
    kept = await rows(desk.crm)
    assert len({row["digest"] for row in kept}) == len(kept) == 16, "nor do the hashes tell that it is the same"


async def test_whatever_the_model_would_see_differently_is_asked_anew(
    fake: FakeVertex, desk: Desk, start_vertex: StartVertex
) -> None:
    messages = sample(1)
    other_model = Desk(desk.crm, await start_vertex(model="gemini-3.6-flash"))
    await desk.score(messages)
    asked = len(fake.asked)
    for run in (
        desk.score(messages, brand=Brand("Trate por você.")),
        desk.score(messages, brand=Brand("Trate por senhor.")),
        desk.score(messages, brand=Brand("Trate por senhor.", preferred=("presente",))),
        desk.score(messages, brand=Brand("Trate por senhor.", avoided=("presente",))),
        desk.score(messages, rubric=replace(RUBRIC, version="2")),
        desk.score(sample(1, question="Tem em verde?")),
        desk.score(sample(1, question=None)),
        other_model.score(messages),
    ):
        assert (await run).cached == 0
        asked += 1
        assert len(fake.asked) == asked


async def test_failures_are_not_kept(fake: FakeVertex, desk: Desk) -> None:
    fake.answer = always(lambda: generated({"messages": []}))
    assert (await desk.score(sample(4))).failed == 4
    assert await rows(desk.crm) == []
    fake.answer = well
    scored = await desk.score(sample(4))
    assert (scored.cached, len(scored.scores)) == (0, 4)


async def test_of_a_message_only_quotes_are_kept(desk: Desk) -> None:
    await desk.score(sample(1, text="Meu segredo e este: gosto de abacaxi com"))
    ((kept,)) = await rows(desk.crm)

    assert "Meu segredo e este:" in str(kept["findings"])
    assert "abacaxi" not in str(kept)
    assert "Tem em azul" not in str(kept)


async def test_a_kept_score_tells_its_reasons_in_the_language_of_the_call(desk: Desk) -> None:
    """No sentence is kept, only which one it was."""
    await desk.score(sample(1))
    ((kept,)) = await rows(desk.crm)

    assert "Palavra" not in str(kept["findings"])
    assert "spelling" in str(kept["findings"])


async def test_a_score_is_used_for_180_days(fake: FakeVertex, desk: Desk) -> None:
    now = desk.crm.now
    await desk.score(sample(1))

    assert (await desk.score(sample(1), now=now + timedelta(days=179))).cached == 1
    assert (await desk.score(sample(1), now=now + timedelta(days=181))).cached == 0
    assert len(fake.asked) == 2


async def test_a_score_that_was_asked_for_anew_takes_the_place_of_the_old_one(desk: Desk) -> None:
    kept = KeptScores(desk.call(), "a-model", Brand(), RUBRIC, "en")
    old = MessageScore(uuid4(), grammar=1, tone=None, brand=None, predominant_tone=None)
    for score in (old, replace(old, grammar=8, tone=9, predominant_tone="formal")):
        await desk.crm.owner.execute("update mcp_store.message_scores set created_at = now() - interval '181 days'")
        async with desk.call().store() as db:
            await kept.keep(db, {b"digest": score})
            await db.commit()
    found = await kept.find([b"digest"])

    assert kept.read(found[b"digest"], sample(1)[0]).tone == 9


async def test_old_scores_are_forgotten_some_at_a_time_and_only_ones_own(desk: Desk) -> None:
    await desk.crm.owner.execute(
        """
        insert into mcp_store.message_scores (tenant_id, digest, rubric, model, findings, created_at)
        select tenant, decode(lpad(to_hex(n), 8, '0'), 'hex'), '1', 'm', '[]', now() - interval '200 days'
          from generate_series(1, 700) n, unnest(array['tenant-a', 'tenant-b']) tenant
        """
    )
    left = []
    for _ in range(2):
        await desk.score(sample(1))
        counts = await desk.crm.owner.fetch(
            "select count(*) from mcp_store.message_scores where model = 'm' group by tenant_id order by tenant_id"
        )
        left.append([row["count"] for row in counts])

    assert left == [[200, 700], [700]]


async def test_two_calls_that_keep_the_same_scores_at_once_both_succeed(desk: Desk) -> None:
    messages = sample(40)
    both = await asyncio.gather(desk.score(messages), desk.score(messages[::-1]))

    assert [len(scored.scores) for scored in both] == [40, 40]
    assert len(await rows(desk.crm)) == 40


@pytest.mark.parametrize(
    ("query", "index", "values"),
    [
        (
            FIND_SCORES,
            "message_scores_pkey",
            ([b"\x00\x00\x00\x07", b"\x00\x00\x00\x08"], "1", "m", datetime(2026, 1, 1, tzinfo=UTC)),
        ),
        (FORGET_SCORES, "message_scores_created_idx", (datetime(2026, 1, 1, tzinfo=UTC),)),
    ],
)
async def test_among_many_scores_the_queries_use_the_indexes_that_their_files_name(
    crm: Crm, query: Query, index: str, values: tuple[Any, ...]
) -> None:
    await crm.owner.execute(
        """
        insert into mcp_store.message_scores (tenant_id, digest, rubric, model, findings)
        select 'tenant-' || t, decode(lpad(to_hex(n), 8, '0'), 'hex'), '1', 'm', '[]'
          from generate_series(1, 2000) n, generate_series(1, 10) t
        """
    )
    await crm.owner.execute("analyze mcp_store.message_scores")
    async with crm.owner.transaction():
        await crm.owner.execute("set local role mcp_writer; set local mcp.tenant_id = 'tenant-3'")
        plan = await crm.owner.fetchval(f"explain (format json) {query.text}", *values)

    assert index in plan
    assert "Seq Scan" not in plan
