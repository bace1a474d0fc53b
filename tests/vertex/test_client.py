"""The real google-genai client against a fake Vertex AI: what goes over the wire, and what every failure becomes."""

import asyncio
import importlib.util
import json
import logging
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiohttp import web

from rpc_server.backends import bounded_http
from rpc_server.backends import vertex as backend
from rpc_server.backends.breaker import Breaker
from rpc_server.backends.vertex import Vertex
from rpc_server.contract.model import Generated, ModelFailed
from tests.vertex.conftest import SOON, StartVertex, until_true
from tests.vertex.fake import MODEL, PROJECT, TOKENS, Answer, Asked, FakeVertex, always, generated, refused

SCHEMA = {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]}


async def ask(vertex: Vertex, *, seconds: float = SOON) -> Generated:
    return await vertex.generate(
        instructions="Say a word.",
        content="now",
        schema=SCHEMA,
        most_tokens=100,
        until=asyncio.get_running_loop().time() + seconds,
    )


async def failure(vertex: Vertex, *, seconds: float = SOON) -> ModelFailed:
    """Return how a request fails; nothing of anybody's words may be in it."""
    with pytest.raises(ModelFailed) as caught:
        await ask(vertex, seconds=seconds)
    assert str(caught.value) == caught.value.reason
    assert caught.value.__suppress_context__ and caught.value.__cause__ is None
    return caught.value


def then(*answers: Answer) -> Answer:
    """Answer with one after the other; the last one stays."""
    left = list(answers)

    async def answer(asked: Asked, request: web.Request) -> web.StreamResponse:
        return await (left.pop(0) if len(left) > 1 else left[0])(asked, request)

    return answer


async def hang(asked: Asked, request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(3600)
    raise AssertionError


ANSWERS = always(lambda: generated({"word": "sim"}))


async def ready(fake: FakeVertex, vertex: Vertex) -> Vertex:
    """Return the client once it has imported its library and fetched its token: that takes what it takes."""
    wanted, fake.answer = fake.answer, ANSWERS
    await ask(vertex)
    fake.answer = wanted
    fake.asked.clear()
    return vertex


async def test_an_answer_is_json_and_its_cost(fake: FakeVertex, vertex: Vertex) -> None:
    fake.answer = ANSWERS

    assert await ask(vertex) == Generated({"word": "sim"}, TOKENS)


async def test_a_request_goes_to_the_project_with_its_own_credentials(fake: FakeVertex, vertex: Vertex) -> None:
    fake.answer = ANSWERS
    await ask(vertex)
    await ask(vertex)
    asked = fake.asked[0]

    assert asked.path == (
        f"/v1/projects/{PROJECT}/locations/us-central1/publishers/google/models/{MODEL}:generateContent"
    )
    assert asked.headers["Authorization"] == "Bearer fake-token"
    assert fake.tokens_given == 1
    assert asked.instructions == "Say a word."
    assert asked.content == "now"
    config = asked.body["generationConfig"]
    assert config["responseMimeType"] == "application/json"
    assert config["responseJsonSchema"] == SCHEMA
    assert config["maxOutputTokens"] == 100
    assert "thinkingConfig" not in config
    assert "tools" not in asked.body


async def test_how_much_it_thinks_is_said_where_it_is_set(fake: FakeVertex, start_vertex: StartVertex) -> None:
    fake.answer = ANSWERS
    await ask(await start_vertex(thinking="minimal"))

    # Vertex AI takes names in either style; this one is the library's.
    assert fake.asked[0].body["generationConfig"]["thinkingConfig"] == {"thinking_level": "MINIMAL"}


async def test_the_quotes_come_before_the_scores_on_the_wire(fake: FakeVertex, vertex: Vertex) -> None:
    """The library passes the schema on as it is, in its order."""
    fake.answer = ANSWERS
    schema = {"type": "object", "properties": {"b": {"type": "string"}, "a": {"type": ["integer", "null"]}}}
    await vertex.generate(instructions="i", content="c", schema=schema, most_tokens=9, until=1e12)

    assert json.dumps(fake.asked[0].body["generationConfig"]["responseJsonSchema"]) == json.dumps(schema)


BROKEN = {
    "text that is no JSON": ("unreadable", TOKENS, lambda: generated("Claro! Aqui está: {")),
    "JSON that was cut off": ("unreadable", TOKENS, lambda: generated('{"word": "s', finish="MAX_TOKENS")),
    "not a number": ("unreadable", TOKENS, lambda: generated('{"word": NaN}')),
    "an abyss": ("unreadable", None, lambda: generated("[" * 50_000)),
    "no candidate": ("unreadable", TOKENS, lambda: _without_candidate({})),
    "a blocked prompt": ("blocked", TOKENS, lambda: _without_candidate({"promptFeedback": {"blockReason": "SAFETY"}})),
    "a blocked answer": ("blocked", TOKENS, lambda: generated("", finish="SAFETY")),
    "a page of HTML": ("unreadable", 0, lambda: web.Response(text="<html>", content_type="text/html")),
    "another shape": ("unreadable", 0, lambda: web.json_response({"candidates": "none"})),
}


def _without_candidate(more: dict[str, Any]) -> web.Response:
    return web.json_response({"usageMetadata": {"totalTokenCount": TOKENS}, **more})


@pytest.mark.parametrize("kind", BROKEN)
async def test_an_answer_that_cannot_be_used_is_a_failure_that_may_have_cost(
    fake: FakeVertex, vertex: Vertex, kind: str
) -> None:
    reason, tokens, response = BROKEN[kind]
    fake.answer = always(response)
    failed = await failure(vertex)

    assert failed.reason == reason
    assert tokens is None or failed.tokens == tokens
    assert len(fake.asked) == 1


@pytest.mark.parametrize("tokens", [None, -5, 0])
async def test_a_cost_that_is_not_told_is_none(fake: FakeVertex, vertex: Vertex, tokens: int | None) -> None:
    fake.answer = always(lambda: generated({"word": "sim"}, tokens=tokens))

    assert (await ask(vertex)).tokens == 0


async def test_a_cost_beyond_all_measure_is_cut(fake: FakeVertex, vertex: Vertex) -> None:
    fake.answer = always(lambda: generated({"word": "sim"}, tokens=2**31 - 1))

    assert (await ask(vertex)).tokens == 10_000_000


@pytest.mark.parametrize(
    ("status", "reason", "requests"),
    [
        (400, "unavailable", 1),
        (401, "unavailable", 1),
        (403, "unavailable", 1),
        (404, "unavailable", 1),
        (429, "rate_limited", 3),
        (500, "unavailable", 3),
        (503, "unavailable", 3),
    ],
)
async def test_what_may_pass_is_tried_again_and_what_will_not_is_not(
    fake: FakeVertex, vertex: Vertex, status: int, reason: str, requests: int
) -> None:
    fake.answer = always(lambda: refused(status))

    assert (await failure(vertex)).reason == reason
    assert len(fake.asked) == requests


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_a_second_attempt_may_succeed(fake: FakeVertex, vertex: Vertex, status: int) -> None:
    fake.answer = then(always(lambda: refused(status)), ANSWERS)

    assert (await ask(vertex)).content == {"word": "sim"}
    assert len(fake.asked) == 2


async def test_retry_after_is_waited_for(fake: FakeVertex, vertex: Vertex) -> None:
    fake.answer = then(always(lambda: refused(429, Retry_After="1")), ANSWERS)
    await ask(vertex)
    first, second = fake.asked

    assert second.at - first.at >= 1


async def test_who_is_to_wait_longer_than_there_is_time_is_told_at_once(fake: FakeVertex, vertex: Vertex) -> None:
    fake.answer = always(lambda: refused(429, Retry_After="3600"))
    started = asyncio.get_running_loop().time()

    assert (await failure(vertex)).reason == "rate_limited"
    assert len(fake.asked) == 1
    assert asyncio.get_running_loop().time() - started < SOON


@pytest.mark.parametrize(
    ("value", "least", "most"),
    [
        ("7", 7, 7),
        ("99999999999999999999", 300, 300),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0),
        ("Wed, 21 Oct 2099 07:28:00 GMT", 300, 300),
        ("Wed, 21 Oct 2099 07:28:00 -0000", 0, 300),
        ("soon", 0, 0),
        ("-1", 0, 0),
        ("٣", 0, 0),
        ("", 0, 0),
    ],
)
def test_retry_after_is_read_in_seconds_and_as_a_date(value: str, least: float, most: float) -> None:
    assert least <= backend._retry_after(value) <= most


async def test_a_server_that_hangs_is_given_up_after_the_request_s_time(
    fake: FakeVertex, start_vertex: StartVertex
) -> None:
    fake.answer = hang
    vertex = await ready(fake, await start_vertex(breaker=Breaker(threshold=1)))
    vertex._timeout = 0.2

    assert (await failure(vertex)).reason == "timed_out"
    assert vertex.is_down
    assert len(fake.asked) <= 1, "a busy machine may not even get it sent"
    await until_true(lambda: fake.gone == len(fake.asked))


async def test_no_request_lasts_beyond_the_caller_s_time(fake: FakeVertex, vertex: Vertex) -> None:
    fake.answer = hang
    await ready(fake, vertex)

    assert (await failure(vertex, seconds=0.3)).reason == "timed_out"
    assert (await failure(vertex, seconds=-1)).reason == "timed_out"
    await until_true(lambda: fake.gone == len(fake.asked))


async def test_an_answer_that_drips_is_given_up(fake: FakeVertex, start_vertex: StartVertex) -> None:
    async def drip(asked: Asked, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.02)

    fake.answer = drip

    vertex = await ready(fake, await start_vertex())
    vertex._timeout = 0.3

    assert (await failure(vertex)).reason == "timed_out"


async def test_an_answer_that_breaks_off_is_asked_for_again(fake: FakeVertex, vertex: Vertex) -> None:
    async def break_off(asked: Asked, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b'{"candidates"')
        assert request.transport is not None
        request.transport.abort()
        return response

    fake.answer = then(break_off, ANSWERS)

    assert (await ask(vertex)).content == {"word": "sim"}

    fake.answer = break_off
    assert (await failure(vertex)).reason == "unavailable"
    assert len(fake.asked) == 5


async def test_a_connection_that_is_closed_without_a_word_is_tried_as_often_as_anything_else(
    fake: FakeVertex, vertex: Vertex
) -> None:
    """The library would try once more, after some seconds, on its own account."""

    async def close(asked: Asked, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    fake.answer = close

    assert (await failure(vertex)).reason == "unavailable"
    assert len(fake.asked) == backend.ATTEMPTS


@pytest.mark.parametrize("status", [200, 500])
async def test_an_answer_larger_than_any_honest_one_is_not_read(
    fake: FakeVertex, vertex: Vertex, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(bounded_http, "MOST_BYTES", 100_000)
    sent = 0

    async def flood(asked: Asked, request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse(status=status, headers={"Content-Type": "application/json"})
        await response.prepare(request)
        while True:
            await response.write(b" " * 65_536)
            sent += 65_536

    fake.answer = flood

    assert (await failure(vertex)).reason == "unreadable"
    await until_true(lambda: fake.running == 0)
    # What both sides' buffers hold is under way before anybody can hang up.
    assert sent < 100_000_000
    fake.answer = ANSWERS
    assert (await ask(vertex)).content == {"word": "sim"}


async def test_nobody_listening_is_unavailable(start_vertex: StartVertex, unused_tcp_port: int) -> None:
    vertex = await start_vertex(url=f"http://127.0.0.1:{unused_tcp_port}")

    assert (await failure(vertex)).reason == "unavailable"


@pytest.mark.parametrize("content", [None, "", "{}", '{"type": "service_account"}', "key"])
async def test_credentials_that_cannot_be_read_are_unavailable_until_they_can(
    fake: FakeVertex,
    credentials: Path,
    start_vertex: StartVertex,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
    content: str | None,
) -> None:
    broken = tmp_path_factory.mktemp("keys") / "broken.json"
    if content is not None:
        private_key = json.loads(credentials.read_text())["private_key"]  # noqa: ASYNC240
        spoiled = credentials.read_text().replace(private_key[40:80], "!")  # noqa: ASYNC240
        broken.write_text(spoiled if content == "key" else content)
    fake.answer = ANSWERS
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(broken))
    vertex = await start_vertex()

    assert (await failure(vertex)).reason == "unavailable"
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(credentials))
    assert (await ask(vertex)).content == {"word": "sim"}


async def test_a_token_that_is_refused_is_unavailable(fake: FakeVertex, vertex: Vertex) -> None:
    fake.gives_tokens = False

    assert (await failure(vertex)).reason == "unavailable"
    assert fake.asked == []


async def test_a_cancelled_caller_s_request_is_hung_up_within_a_second(fake: FakeVertex, vertex: Vertex) -> None:
    fake.answer = hang
    asking = asyncio.create_task(ask(vertex))
    await until_true(lambda: fake.running == 1)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking

    await until_true(lambda: fake.gone == 1, seconds=1)


async def test_all_callers_together_send_so_many_requests_at_a_time(
    fake: FakeVertex, start_vertex: StartVertex
) -> None:
    release = asyncio.Event()

    async def wait(asked: Asked, request: web.Request) -> web.StreamResponse:
        await release.wait()
        return generated({"word": "sim"})

    fake.answer = wait
    vertex = await start_vertex(concurrency=3)
    asking = [asyncio.create_task(ask(vertex)) for _ in range(12)]
    await until_true(lambda: fake.running == 3)
    release.set()
    await asyncio.gather(*asking)

    assert (fake.most_running, len(fake.asked)) == (3, 12)


async def test_who_waits_for_a_turn_waits_no_longer_than_it_may(fake: FakeVertex, start_vertex: StartVertex) -> None:
    fake.answer = hang
    vertex = await start_vertex(concurrency=1)
    first = asyncio.create_task(ask(vertex))
    await until_true(lambda: fake.running == 1)

    assert (await failure(vertex, seconds=0.1)).reason == "timed_out"
    assert len(fake.asked) == 1
    first.cancel()
    await asyncio.wait([first])
    fake.answer = ANSWERS
    assert (await ask(vertex)).content == {"word": "sim"}


class Clock:
    """A clock that stands still until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(("status", "reason"), [(429, "rate_limited"), (500, "unavailable"), (403, "unavailable")])
async def test_who_is_down_is_left_alone_and_then_tried_by_one_only(
    fake: FakeVertex, start_vertex: StartVertex, status: int, reason: str
) -> None:
    clock = Clock()
    vertex = await start_vertex(breaker=Breaker(threshold=3, pause=60, clock=clock))
    fake.answer = always(lambda: refused(status))
    while not vertex.is_down:
        await failure(vertex)
    asked = len(fake.asked)

    assert asked == 3
    assert (await failure(vertex)).reason == reason
    assert len(fake.asked) == asked, "refused without a request"

    clock.now = 61
    assert not vertex.is_down
    assert (await failure(vertex)).reason == reason
    assert len(fake.asked) == asked + 1, "one attempt, and it failed"
    assert vertex.is_down

    clock.now = 122
    fake.answer = ANSWERS
    assert (await ask(vertex)).content == {"word": "sim"}
    assert (await ask(vertex)).content == {"word": "sim"}
    assert not vertex.is_down


async def test_while_one_tries_whether_it_is_up_again_the_others_are_refused(
    fake: FakeVertex, start_vertex: StartVertex
) -> None:
    clock = Clock()
    vertex = await start_vertex(breaker=Breaker(threshold=1, pause=60, clock=clock))
    fake.answer = always(lambda: refused(500))
    await failure(vertex)
    clock.now = 61
    fake.answer = hang
    probe = asyncio.create_task(ask(vertex))
    await until_true(lambda: fake.running == 1)

    assert (await failure(vertex)).reason == "unavailable"
    # Whoever tried went away without an answer: another one may try.
    probe.cancel()
    await asyncio.wait([probe])
    fake.answer = ANSWERS
    assert (await ask(vertex)).content == {"word": "sim"}


async def test_an_answer_that_cannot_be_used_does_not_count_as_being_down(
    fake: FakeVertex, start_vertex: StartVertex
) -> None:
    vertex = await start_vertex(breaker=Breaker(threshold=1))
    for response in (lambda: generated("no JSON"), lambda: generated("", finish="SAFETY"), lambda: refused(400)):
        fake.answer = always(response)
        await failure(vertex)
        assert not vertex.is_down


async def test_a_caller_with_little_time_does_not_make_the_model_look_down(
    fake: FakeVertex, start_vertex: StartVertex
) -> None:
    vertex = await ready(fake, await start_vertex(breaker=Breaker(threshold=1)))
    fake.answer = hang
    for seconds in (0.3, 1, 4, 16):
        assert (await failure(vertex, seconds=seconds)).reason == "timed_out"
        if fake.asked:
            break

    assert len(fake.asked) == 1
    assert not vertex.is_down


def test_a_breaker_waits_as_long_as_it_is_asked_to() -> None:
    clock = Clock()
    breaker = Breaker(threshold=1, pause=10, clock=clock)
    assert breaker.admit()
    breaker.report(False, pause=50)
    clock.now = 49
    assert not breaker.admit()
    clock.now = 50
    assert breaker.admit()


def test_a_breaker_counts_failures_in_a_row_only() -> None:
    breaker = Breaker(threshold=2)
    for healthy in (False, True, False, None, True, False):
        assert breaker.admit()
        breaker.report(healthy)

    assert breaker.admit()
    breaker.report(False)
    assert breaker.refuses


async def test_nothing_that_a_server_says_reaches_the_log(
    fake: FakeVertex, vertex: Vertex, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    structlog.reset_defaults()  # whatever tests before this one have set
    for status in (400, 403, 429, 500):
        fake.answer = always(lambda status=status: refused(status))  # type: ignore[misc]
        await failure(vertex)
    out, err = capfd.readouterr()

    assert "request failed" in out + err
    assert "internal words" not in out + err + caplog.text


def test_a_server_without_the_extra_says_so_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    with pytest.raises(ValueError, match=r"VERTEX_AI_PROJECT is set, but .* install the extra 'vertex'"):
        Vertex(PROJECT, location="global", model=MODEL)


async def test_nothing_is_left_of_a_client(fake: FakeVertex, start_vertex: StartVertex) -> None:
    fake.answer = ANSWERS
    before = asyncio.all_tasks()
    vertex = await start_vertex()
    await ask(vertex)
    await vertex.__aexit__()

    await until_true(lambda: asyncio.all_tasks() <= before | {*(t for t in asyncio.all_tasks() if t.done())})
    assert vertex._session.closed
