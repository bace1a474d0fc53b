"""analyze_agent_messages on a server whose Vertex AI is fake: an answer in time, labelled with how it came about."""

import asyncio
import importlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from rpc_server.backends import vertex as backend
from tests.conftest import Crm, Server, StartServer
from tests.tools.world import Agent, World, insert
from tests.vertex.conftest import until_true
from tests.vertex.fake import MODEL, PROJECT, TOKENS, Asked, FakeVertex, always, generated, judged, refused, well

# By its full name: `handlers.messages`, as an attribute, is this very module.
TOOLS = importlib.import_module("handlers.messages.tools")
COUNT = 12
CPF = "529.982.247-25"


@pytest.fixture
async def ana(crm: Crm) -> Agent:
    """An agent of tenant-a who has written some messages, one of them with a CPF."""
    world = World("tenant-a")
    ana = world.agent("Ana")
    for number in range(COUNT):
        at = crm.now - timedelta(days=1, minutes=number)
        session = world.session(world.contact(at - timedelta(days=9)), at - timedelta(minutes=9), ana)
        world.message(session, at - timedelta(minutes=5)).text = "Tem em azul?"
        world.reply(session, at, ana).text = f"Bom dia! Tem sim, ja separei o numero {number:03} para voce, CPF {CPF}"
    await insert(world, crm.owner)
    return ana


@pytest.fixture
async def allow(crm: Crm) -> Callable[..., Awaitable[None]]:
    """Change settings of tenant-a; without any, allow the external model."""

    async def allow(**settings: Any) -> None:
        for key, value in ({"external_model": True} | settings).items():
            await crm.owner.execute(
                "insert into mcp_store.tenant_settings (tenant_id, key, value) values ('tenant-a', $1, $2::jsonb)"
                " on conflict (tenant_id, key) do update set value = excluded.value",
                key,
                orjson.dumps(value).decode(),
            )

    return allow


@pytest.fixture
async def server(
    fake: FakeVertex, credentials: Path, start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> Server:
    """A server that knows the fake."""
    monkeypatch.setattr(backend, "_BACKOFF_SECONDS", 0.01)
    return await start_server(vertex_ai_project=PROJECT, vertex_ai_url=fake.url)


async def analyze(server: Server, agent: Agent) -> dict[str, Any]:
    """Return the answer; its figures always add up."""
    status, body = await server.execute("analyze_agent_messages", {"agent_id": str(agent.id)})
    assert status == 200, body
    result: dict[str, Any] = body["result"]
    assert result["sample"]["sampled"] == COUNT
    return result


async def test_a_tenant_that_has_not_allowed_it_is_judged_by_rules(
    fake: FakeVertex, server: Server, ana: Agent
) -> None:
    answer = await analyze(server, ana)

    assert (answer["method"], answer["model"], fake.asked) == ("heuristic", None, [])


async def test_the_model_s_scores_are_labelled_as_its_own(
    fake: FakeVertex, server: Server, ana: Agent, allow: Callable[..., Awaitable[None]]
) -> None:
    await allow()
    answer = await analyze(server, ana)

    assert (answer["method"], answer["model"], answer["rubric_version"]) == ("vertex", MODEL, "1")
    assert answer["grammar_analysis"]["average_score"] == 7
    assert (answer["failed"], answer["partial"], answer["usage"]["tokens"]) == (0, False, 2 * TOKENS)

    again = await analyze(server, ana)
    assert (again["cached"], again["usage"]["tokens"], len(fake.asked)) == (COUNT, 0, 2)


async def test_nothing_personal_leaves_the_server(
    fake: FakeVertex, server: Server, ana: Agent, allow: Callable[..., Awaitable[None]]
) -> None:
    await allow()
    answer = await analyze(server, ana)
    sent = "".join(asked.content for asked in fake.asked)

    assert "<CPF_1>" in sent
    assert CPF not in sent and CPF not in orjson.dumps(answer).decode()
    assert str(ana.id) not in sent and "tenant-a" not in sent


async def hang(asked: Asked, request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(3600)
    raise AssertionError


async def lie(asked: Asked, request: web.Request) -> web.StreamResponse:
    return generated({"messages": judged(asked, score=99), "method": "perfect"})


@pytest.mark.parametrize(
    ("how", "warning"),
    [
        (always(lambda: refused(500)), "could not be reached"),
        (always(lambda: refused(403)), "could not be reached"),
        (always(lambda: refused(429, Retry_After="3600")), "takes no more requests"),
        (hang, "did not answer in time"),
        (lie, "could not be used"),
        (always(lambda: generated("", finish="SAFETY")), "could not be used"),
    ],
    ids=["down", "forbidden", "busy", "hanging", "lying", "blocked"],
)
async def test_a_model_that_gives_nothing_is_replaced_by_rules_and_the_answer_says_so(
    fake: FakeVertex,
    server: Server,
    ana: Agent,
    allow: Callable[..., Awaitable[None]],
    monkeypatch: pytest.MonkeyPatch,
    how: Any,
    warning: str,
) -> None:
    # An answer is due after 4 s instead of 45.
    monkeypatch.setattr(TOOLS, "_RESERVE_SECONDS", 56.0)
    await allow()
    fake.answer = how
    answer = await analyze(server, ana)

    assert (answer["method"], answer["model"], answer["rubric_version"]) == ("heuristic", None, None)
    assert any(warning in line and "rules judged instead" in line for line in answer["warnings"])
    assert answer["overall_quality_score"] is not None
    assert (answer["failed"], answer["partial"]) == (0, False)
    await until_true(lambda: fake.running == 0)


async def test_a_budget_that_is_used_up_is_said(
    fake: FakeVertex, server: Server, ana: Agent, allow: Callable[..., Awaitable[None]]
) -> None:
    await allow(external_model_daily_tokens=100)
    answer = await analyze(server, ana)

    assert (answer["method"], fake.asked) == ("heuristic", [])
    assert any("budget of tokens" in line for line in answer["warnings"])


async def test_a_slow_model_s_scores_are_partial_and_never_mixed_with_rules(
    fake: FakeVertex,
    server: Server,
    ana: Agent,
    allow: Callable[..., Awaitable[None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(TOOLS, "_RESERVE_SECONDS", 52.0)

    async def half(asked: Asked, request: web.Request) -> web.StreamResponse:
        return await (well if len(fake.asked) % 2 else hang)(asked, request)

    await allow()
    fake.answer = half
    answer = await analyze(server, ana)

    assert (answer["method"], answer["partial"], answer["failed"]) == ("vertex", True, COUNT // 2)
    assert answer["grammar_analysis"]["average_score"] == 7
    assert any("were not scored" in line for line in answer["warnings"])


async def test_leaving_a_stream_hangs_up_on_the_model_within_a_second(
    fake: FakeVertex, server: Server, ana: Agent, allow: Callable[..., Awaitable[None]]
) -> None:
    await allow()
    fake.answer = hang
    url = f"{server.url}/v1/tools/analyze_agent_messages/stream"
    async with server.session.get(url, params={"agent_id": str(ana.id)}, headers=server.bearer()) as response:
        assert response.status == 200
        await until_true(lambda: fake.running == 2)

    await until_true(lambda: fake.gone == 2, seconds=1)
