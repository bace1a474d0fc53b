"""Scoring by the real client against a fake Vertex AI: an answer in time, whatever comes, that says what it is."""

import asyncio
from collections.abc import Callable
from typing import Any, get_args

import pytest
from aiohttp import web

from handlers.messages.model.scoring import BATCH, Scored, Stopped, batches
from rpc_server.backends.breaker import Breaker
from rpc_server.contract.errors import DependencyUnavailable
from rpc_server.contract.model import ModelFailure
from tests.conftest import Crm
from tests.vertex.conftest import Desk, StartVertex, ids_of, sample, until_true
from tests.vertex.fake import (
    MODEL,
    TOKENS,
    Answer,
    Asked,
    FakeVertex,
    always,
    generated,
    judged,
    refused,
    verdict,
    well,
)


async def hang(asked: Asked, request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(3600)
    raise AssertionError


def grammar_of(scored: Scored) -> set[float | None]:
    return {score.grammar for score in scored.scores}


async def test_every_message_is_scored_by_name_version_and_cost(fake: FakeVertex, desk: Desk) -> None:
    messages = sample(30)
    scored = await desk.score(messages)

    assert {score.message_id for score in scored.scores} == ids_of(messages)
    assert all((score.grammar, score.predominant_tone) == (7, "neutral") for score in scored.scores)
    assert (scored.model, scored.rubric_version) == (MODEL, "1")
    assert (scored.failed, scored.left, scored.cached, scored.stopped) == (0, 0, 0, None)
    assert scored.tokens == TOKENS * len(fake.asked)
    assert await desk.usage() == scored.tokens


async def test_messages_go_in_batches_of_about_the_same_size(fake: FakeVertex, desk: Desk) -> None:
    await desk.score(sample(30))

    assert sorted(len(asked.messages) for asked in fake.asked) == [6, 8, 8, 8]
    assert len({asked.content.split("\n")[0] for asked in fake.asked}) == 4, "a delimiter for each request"


@pytest.mark.parametrize(
    ("count", "sizes"), [(0, []), (1, [1]), (8, [8]), (9, [5, 4]), (17, [6, 6, 5]), (500, [8] * 62 + [4])]
)
def test_batches_are_even(count: int, sizes: list[int]) -> None:
    messages = sample(count)

    assert [len(batch) for batch in batches(messages)] == sizes
    assert [message for batch in batches(messages) for message in batch] == messages


def test_long_messages_go_in_smaller_batches() -> None:
    assert [len(batch) for batch in batches(sample(8, text="longa " * 1_000))] == [2, 2, 2, 2]
    assert [len(batch) for batch in batches(sample(2, text="longa " * 10_000))] == [1, 1]


async def test_progress_is_told_and_grows(desk: Desk) -> None:
    await desk.score(sample(30))

    assert desk.told == sorted(desk.told)
    assert desk.told[-1] == (30, 30)


async def test_nothing_to_score_asks_nobody(fake: FakeVertex, desk: Desk) -> None:
    scored = await desk.score([])

    assert (scored.scores, scored.tokens, scored.stopped, fake.asked) == ([], 0, None, [])


async def test_messages_of_the_same_words_are_asked_for_once(fake: FakeVertex, desk: Desk) -> None:
    same = [*sample(1), *sample(1), *sample(1), *sample(2)]
    scored = await desk.score(same)

    assert sum(len(asked.messages) for asked in fake.asked) == 2
    assert {score.message_id for score in scored.scores} == ids_of(same)


async def test_a_call_has_so_many_requests_at_a_time(fake: FakeVertex, desk: Desk) -> None:
    release = asyncio.Event()

    async def wait(asked: Asked, request: web.Request) -> web.StreamResponse:
        await release.wait()
        return await well(asked, request)

    fake.answer = wait
    scoring = asyncio.create_task(desk.score(sample(80)))
    await until_true(lambda: fake.running == 4)
    release.set()
    scored = await scoring

    assert (fake.most_running, len(scored.scores)) == (4, 80)


# --- answers that cannot be used ----------------------------------------------------------------


async def test_an_unreadable_answer_is_asked_for_once_more_in_halves(fake: FakeVertex, desk: Desk) -> None:
    async def garbled_at_first(asked: Asked, request: web.Request) -> web.StreamResponse:
        return generated('{"messages": [') if len(fake.asked) == 1 else await well(asked, request)

    fake.answer = garbled_at_first
    scored = await desk.score(sample(8))

    assert [len(asked.messages) for asked in fake.asked] == [8, 4, 4]
    assert (len(scored.scores), scored.stopped, scored.tokens) == (8, None, 3 * TOKENS)


@pytest.mark.parametrize(
    "response",
    [
        lambda: generated("Aqui está a avaliação"),
        lambda: generated({"messages": []}),
        lambda: generated({"messages": "all of them"}),
        lambda: generated("", finish="SAFETY"),
    ],
    ids=["no JSON", "nothing in it", "another shape", "blocked"],
)
async def test_answers_that_never_can_be_used_are_failures(
    fake: FakeVertex, desk: Desk, response: Callable[[], web.Response]
) -> None:
    fake.answer = always(response)
    scored = await desk.score(sample(8))

    assert (scored.scores, scored.failed, scored.left, scored.stopped) == ([], 8, 0, None)
    assert len(fake.asked) == 3
    assert scored.tokens == 3 * TOKENS == await desk.usage()


async def test_a_message_that_gets_its_batch_blocked_takes_only_half_with_it(fake: FakeVertex, desk: Desk) -> None:
    messages = sample(8)
    poison = messages[2].text

    async def block(asked: Asked, request: web.Request) -> web.StreamResponse:
        blocked = poison in asked.messages.values()
        return generated("", finish="SAFETY") if blocked else await well(asked, request)

    fake.answer = block
    scored = await desk.score(messages)

    assert {score.message_id for score in scored.scores} == ids_of(messages[4:])
    assert (scored.failed, scored.stopped) == (4, None)


async def test_ids_that_are_missing_are_asked_for_again_and_others_are_ignored(fake: FakeVertex, desk: Desk) -> None:
    async def forgetful(asked: Asked, request: web.Request) -> web.StreamResponse:
        entries = judged(asked)
        left_out = entries[:-3] if len(fake.asked) == 1 else entries
        return generated({"messages": [*left_out, verdict("m99", "x"), verdict("m1", "x", score=0)]})

    fake.answer = forgetful
    scored = await desk.score(sample(8))

    assert [len(asked.messages) for asked in fake.asked] == [8, 2, 1]
    assert (len(scored.scores), grammar_of(scored)) == (8, {7.0})


async def test_a_message_that_is_always_left_out_fails_alone(fake: FakeVertex, desk: Desk) -> None:
    messages = sample(8)

    async def forgetful(asked: Asked, request: web.Request) -> web.StreamResponse:
        entries = [verdict(id, text) for id, text in asked.messages.items() if text != messages[5].text]
        return generated({"messages": entries})

    fake.answer = forgetful
    scored = await desk.score(messages)

    assert ids_of(messages) - {score.message_id for score in scored.scores} == {messages[5].message_id}
    assert scored.failed == 1


@pytest.mark.parametrize("score", [11, -1, "10", True, 1e9])
async def test_lying_scores_are_failures_and_never_figures(fake: FakeVertex, desk: Desk, score: Any) -> None:
    async def lie(asked: Asked, request: web.Request) -> web.StreamResponse:
        return generated({"messages": judged(asked, score=score)})

    fake.answer = lie
    scored = await desk.score(sample(3))

    assert (scored.scores, scored.failed) == ([], 3)


async def test_made_up_quotes_are_counted(fake: FakeVertex, desk: Desk) -> None:
    async def lie(asked: Asked, request: web.Request) -> web.StreamResponse:
        made_up = {"evidence": "nunca foi dito", "kind": "spelling"}
        return generated({"messages": judged(asked, grammar={"findings": [made_up], "score": 10})})

    fake.answer = lie
    scored = await desk.score(sample(3))

    assert (len(scored.scores), scored.not_evidenced) == (3, 3)


# --- a model that is down, slow, refusing or gone -------------------------------------------------


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (lambda: refused(500), "unavailable"),
        (lambda: refused(403), "unavailable"),
        (lambda: refused(429), "rate_limited"),
        (lambda: refused(429, Retry_After="3600"), "rate_limited"),
    ],
    ids=["down", "forbidden", "busy", "busy for long"],
)
async def test_a_model_that_gives_no_answer_is_soon_asked_no_more(
    fake: FakeVertex, desk: Desk, response: Callable[[], web.Response], reason: str
) -> None:
    fake.answer = always(response)
    scored = await desk.score(sample(80))

    assert (scored.scores, scored.stopped, scored.tokens) == ([], reason, 0)
    assert scored.partial and scored.failed >= 2 * BATCH
    assert len(fake.asked) <= 3 * 4 + 3
    assert await desk.usage() == 0


async def test_a_model_that_is_nowhere_is_unavailable(
    start_vertex: StartVertex, crm: Crm, unused_tcp_port: int
) -> None:
    desk = Desk(crm, await start_vertex(url=f"http://127.0.0.1:{unused_tcp_port}"))
    scored = await desk.score(sample(5))

    assert (scored.scores, scored.failed, scored.left, scored.stopped) == ([], 5, 0, "unavailable")


async def test_one_batch_without_an_answer_does_not_stop_the_others(fake: FakeVertex, desk: Desk) -> None:
    messages = sample(40)

    async def fail_once(asked: Asked, request: web.Request) -> web.StreamResponse:
        return refused(500) if messages[0].text in asked.messages.values() else await well(asked, request)

    fake.answer = fail_once
    scored = await desk.score(messages)

    assert (len(scored.scores), scored.failed, scored.left) == (32, 8, 0)
    assert grammar_of(scored) == {7.0}


async def test_while_the_model_is_known_to_be_down_nobody_asks_it(
    fake: FakeVertex, start_vertex: StartVertex, crm: Crm
) -> None:
    desk = Desk(crm, await start_vertex(breaker=Breaker(threshold=3, pause=3600)))
    fake.answer = always(lambda: refused(503))
    await desk.score(sample(8))
    asked = len(fake.asked)
    scored = await desk.score(sample(80))

    assert len(fake.asked) == asked == 3
    assert (scored.scores, scored.stopped, scored.tokens) == ([], "unavailable", 0)


async def test_at_the_time_there_is_what_is_finished_and_the_rest_is_left(fake: FakeVertex, desk: Desk) -> None:
    await desk.score(sample(1, text="para aquecer"))
    # On a busy machine the first batch may take longer than others would wait.
    for seconds in (1, 4, 16):
        messages = sample(40, text=f"Volto em {seconds}")

        async def partly(asked: Asked, request: web.Request, first: str = messages[0].text) -> web.StreamResponse:
            return await (well if first in asked.messages.values() else hang)(asked, request)

        fake.answer = partly
        before = await desk.usage()
        scored = await desk.score(messages, seconds=seconds)
        if scored.scores:
            break

    assert {score.message_id for score in scored.scores} == ids_of(messages[:8])
    assert (scored.left, scored.failed, scored.stopped, scored.partial) == (32, 0, "timed_out", True)
    await until_true(lambda: fake.running == 0)
    # What was sent and not answered may have been billed.
    assert scored.tokens > 2 * TOKENS
    assert await desk.usage() == before + scored.tokens


async def test_a_time_that_is_over_leaves_everything(fake: FakeVertex, desk: Desk) -> None:
    scored = await desk.score(sample(8), seconds=-1)

    assert (scored.scores, scored.left, scored.stopped) == ([], 8, "timed_out")


async def test_requests_that_time_out_are_given_up_after_two(
    fake: FakeVertex, start_vertex: StartVertex, crm: Crm
) -> None:
    vertex = await start_vertex()
    desk = Desk(crm, vertex)
    await desk.score(sample(1, text="para aquecer"))
    vertex._timeout = 0.3
    fake.answer = hang
    scored = await desk.score(sample(80))

    assert (scored.scores, scored.stopped) == ([], "timed_out")
    assert scored.left >= 80 - 5 * BATCH
    assert await desk.usage() == scored.tokens + TOKENS > TOKENS, "nobody knows what they cost, so it counts as spent"


async def test_a_cancelled_call_hangs_up_within_a_second_and_leaves_nothing_running(
    fake: FakeVertex, desk: Desk
) -> None:
    before = len(asyncio.all_tasks())
    fake.answer = hang
    scoring = asyncio.create_task(desk.score(sample(80)))
    await until_true(lambda: fake.running == 4)
    scoring.cancel()
    with pytest.raises(asyncio.CancelledError):
        await scoring

    await until_true(lambda: fake.gone == 4, seconds=1)
    await until_true(lambda: len(asyncio.all_tasks()) <= before)


async def test_without_the_database_nothing_more_is_spent(
    fake: FakeVertex, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kept scores could still be read, then it goes away."""
    call, opened = desk.call, 0

    def going_away(*of_whom: Any) -> Any:
        made = call(*of_whom)
        store = made.store

        def open_store() -> Any:
            nonlocal opened
            opened += 1
            if opened > 1:
                raise DependencyUnavailable("gone", retry_after=1)
            return store()

        made.store = open_store
        return made

    monkeypatch.setattr(desk, "call", going_away)
    scored = await desk.score(sample(8))

    assert (scored.scores, scored.left, scored.stopped, fake.asked) == ([], 8, "unavailable", [])


async def test_scores_that_cannot_be_kept_are_answered_all_the_same(
    fake: FakeVertex, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = sample(8)

    async def break_the_store(asked: Asked, request: web.Request) -> web.StreamResponse:
        await desk.crm.owner.execute("drop table mcp_store.message_scores cascade")
        return await well(asked, request)

    fake.answer = break_the_store
    monkeypatch.setattr("rpc_server.backends.postgres._FAILURES", (Exception,))
    scored = await desk.score(messages)

    assert len(scored.scores) == 8
    assert await desk.usage() > TOKENS, "the reservation could not be settled"


def test_a_tally_of_reasons_is_complete() -> None:
    """Every reason that a model gives is one that scoring can stop for, or that only spoils an answer."""
    assert set(get_args(ModelFailure)) - {"blocked", "unreadable"} == set(get_args(Stopped)) - {"over_budget"}


ANSWERS: dict[str, Answer] = {
    "well": well,
    "down": always(lambda: refused(503)),
    "garbled": always(lambda: generated("{")),
}


@pytest.mark.parametrize("kind", [*ANSWERS, "by turns"])
async def test_whatever_the_model_does_each_message_is_accounted_for_once(
    fake: FakeVertex, desk: Desk, kind: str
) -> None:
    """`Desk.score` adds up scored, failed and left."""

    async def by_turns(asked: Asked, request: web.Request) -> web.StreamResponse:
        return await [*ANSWERS.values()][len(fake.asked) % 3](asked, request)

    fake.answer = ANSWERS.get(kind, by_turns)
    scored = await desk.score(sample(50))

    assert grammar_of(scored) <= {7.0}
