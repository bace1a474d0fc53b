"""analyze_agent_messages on real rows: which messages are drawn, what is said of them, and what stays unsaid."""

import asyncio
import importlib
import math
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from handlers.messages.sampling import Drawn, Sample, draw, find_writer, redacted
from handlers.periods import latest
from handlers.tenants import TenantSettings
from rpc_server.contract.errors import InvalidArguments, NotFound
from rpc_server.contract.query import Database
from tests.conftest import Crm
from tests.tools.world import Agent, Message, World, insert

# By its full name: `handlers.messages`, as an attribute, is this very module.
TOOLS = importlib.import_module("handlers.messages.tools")
NOW = datetime(2026, 11, 18, 15, 0, tzinfo=UTC)
CPF = "529.982.247-25"
GOOD = "Bom dia! Que pena que atrasou, vou verificar agora e já te aviso. Posso ajudar em algo mais?"
BAD = "nós vai mandar os produto amanha, voce tem que esperar e pronto!!!!"


class Writing:
    """A world in which agents have written, and the figures that are to come of it."""

    def __init__(self, tenant: str = "tenant-a") -> None:
        self.world = World(tenant)

    def write(self, agent: Agent, text: str, *, at: datetime = NOW - timedelta(days=1), asked: str = "") -> Message:
        """Have *agent* answer *asked* in a conversation of its own."""
        session = self.world.session(self.world.contact(at - timedelta(days=90)), at - timedelta(minutes=9), agent)
        if asked:
            question = self.world.message(session, at - timedelta(minutes=5))
            question.text = asked
        message = self.world.reply(session, at, agent)
        message.text = text
        return message


async def analyze(crm: Crm, agent: Agent, tenant: str = "tenant-a", **arguments: Any) -> dict[str, Any]:
    asked = {"agent_id": str(agent.id)} | arguments
    return await crm.call("analyze_agent_messages", asked, tenant=tenant, now=NOW)


async def chosen_of(database: Database, agent: Agent, size: int = 50) -> Drawn:
    class Asking:
        now = NOW
        db = database

    call: Any = Asking()
    return await draw(call, await find_writer(call, agent.id), latest(TenantSettings().zone, NOW, None, None), size)


async def drawn(crm: Crm, agent: Agent, size: int = 50, tenant: str = "tenant-a") -> Sample:
    async with crm.postgres.snapshot(tenant, lambda: None) as database:
        chosen = await chosen_of(database, agent, size)
    return await redacted(chosen, math.inf)


async def test_only_the_agents_own_words_of_the_period_are_eligible(crm: Crm) -> None:
    writing = Writing()
    world = writing.world
    ana, bia = world.agent("Ana"), world.agent("Bia")
    counted = [writing.write(ana, GOOD), writing.write(ana, GOOD)]
    counted[1].agent_id = ana.user_id  # some of the CRM's messages bear the user's id
    for source in ("broadcast", "sequence", "trigger", "bot", "scheduled"):
        writing.write(ana, GOOD).source = source
    writing.write(ana, "Ok!")
    writing.write(ana, "    Sim     .")
    writing.write(bia, GOOD)
    writing.write(ana, GOOD, at=NOW - timedelta(days=40))
    writing.write(ana, GOOD).deleted_at = NOW
    writing.write(ana, GOOD).from_me = False
    stranger = Writing("tenant-b")
    stranger.write(stranger.world.agent("Ana"), GOOD)
    world.absorb(stranger.world)
    await insert(world, crm.owner)

    answer = await analyze(crm, ana)

    assert answer["sample"] == {"messages_total": 9, "eligible": 2, "sampled": 2, "seed": answer["sample"]["seed"]}
    assert {message.message_id for message in (await drawn(crm, ana)).messages} == {row.id for row in counted}


@pytest.mark.parametrize("size", [1, 7, 50, 100, 399, 400, 500])
async def test_each_day_and_conversation_is_drawn_in_proportion(crm: Crm, size: int) -> None:
    world = World("tenant-a")
    ana = world.agent("Ana")
    places: dict[UUID, tuple[int, UUID]] = {}
    for day in range(10):
        for part in range(4):
            at = NOW - timedelta(days=day + 1, hours=part)
            session = world.session(world.contact(NOW - timedelta(days=90)), at, ana)
            for number in range(10 if day else 10 + day):
                message = world.reply(session, at + timedelta(seconds=number), ana)
                message.text = f"Mensagem número {number} de hoje"
                places[message.id] = (day, session.id)
    await insert(world, crm.owner)

    sample = await drawn(crm, ana, size)

    chosen = [places[message.message_id] for message in sample.messages]
    assert len(chosen) == len({message.message_id for message in sample.messages}) == min(size, len(places))
    for part in (0, 1):
        everything = Counter(place[part] for place in places.values())
        there = Counter(place[part] for place in chosen)
        share = min(1.0, size / len(places))
        # Systematic drawing never strays by one or more from the share of a stratum in the order it goes by.
        assert all(abs(there[stratum] - number * share) < 1 + (part == 1) for stratum, number in everything.items())


async def test_the_same_question_draws_the_same_sample(crm: Crm) -> None:
    writing = Writing()
    ana = writing.world.agent("Ana")
    for number in range(60):
        writing.write(ana, f"Mensagem número {number} de hoje")
    await insert(writing.world, crm.owner)

    first, second = await drawn(crm, ana, 20), await drawn(crm, ana, 20)

    assert first == second
    assert len(first.messages) == 20


async def test_a_message_travels_with_what_the_customer_asked_before(crm: Crm) -> None:
    writing = Writing()
    ana = writing.world.agent("Ana")
    asked = writing.write(ana, GOOD, asked="Meu pedido atrasou, e agora?")
    unasked = writing.write(ana, GOOD)
    await insert(writing.world, crm.owner)

    found = {message.message_id: message.question for message in (await drawn(crm, ana)).messages}

    assert found == {asked.id: "Meu pedido atrasou, e agora?", unasked.id: None}


async def test_personal_data_is_counted_and_never_told(crm: Crm) -> None:
    writing = Writing()
    ana = writing.world.agent("Ana")
    writing.write(
        ana,
        f"nós vai usar o CPF {CPF} e o e-mail joao.silva@example.com, tá bom?",
        asked=f"Meu cpf é {CPF} e meu zap (11) 98765-4321",
    )
    await insert(writing.world, crm.owner)

    sample = await drawn(crm, ana)
    answer = await analyze(crm, ana)

    assert sample.messages[0].text == "nós vai usar o CPF <CPF_1> e o e-mail <EMAIL_1>, tá bom?"
    assert sample.messages[0].question == "Meu cpf é <CPF_1> e meu zap <PHONE_1>"
    assert answer["redaction"]["counts"] == {"cpf": 2, "email": 1, "phone": 1}
    said = orjson.dumps(answer).decode()
    assert "529" not in re.sub(r"[0-9a-f-]{36}", "", said) and "joao" not in said and "98765" not in said


@pytest.mark.parametrize("place", [3_985, 3_999, 4_000, 4_590, 9_990])
async def test_of_a_long_message_no_half_of_a_datum_is_left(crm: Crm, place: int) -> None:
    writing = Writing()
    ana = writing.world.agent("Ana")
    writing.write(ana, (f"{CPF}, " * place)[:place] + "joao.silva@example.com" + " e tchau" * 200)
    writing.write(ana, GOOD, asked=("ola " * place)[: place - 3_000] + "joao.silva@example.com")
    await insert(writing.world, crm.owner)

    for message in (await drawn(crm, ana)).messages:
        assert "joao" not in message.text and "joao" not in (message.question or "")
        assert len(message.question or "") <= 1_000 + len("<EMAIL_1>")
        assert not message.text.strip(" ,").endswith(tuple("0123456789"))


async def test_slow_texts_leave_the_server_to_others(crm: Crm) -> None:
    writing = Writing()
    ana = writing.world.agent("Ana")
    for number in range(20):
        writing.write(ana, f"{number:03}.456.789-01 " * 50)
    await insert(writing.world, crm.owner)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with crm.postgres.snapshot("tenant-a", lambda: None) as database:
        chosen = await chosen_of(database, ana)
    other = asyncio.create_task(others())
    sample = await redacted(chosen, math.inf)
    other.cancel()

    assert len(sample.messages) == 20
    assert turns >= 20


async def test_what_is_not_redacted_in_time_is_not_judged_and_the_answer_says_so(
    crm: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing = Writing()
    ana = writing.world.agent("Ana")
    for _ in range(3):
        writing.write(ana, GOOD)
    await insert(writing.world, crm.owner)
    monkeypatch.setattr(TOOLS, "_RESERVE_SECONDS", 60.0)  # an answer is due at once

    answer = await analyze(crm, ana)

    assert (answer["sample"]["sampled"], answer["failed"], answer["partial"], answer["n"]) == (3, 3, True, 0)
    assert answer["overall_quality_score"] is None
    assert [said for said in answer["warnings"] if said.startswith("3 of the sampled messages")]


async def test_where_time_ends_early_what_was_judged_is_of_the_whole_period(crm: Crm) -> None:
    writing = Writing()
    ana = writing.world.agent("Ana")
    for number in range(90):
        writing.write(ana, f"Mensagem número {number} de hoje", at=NOW - timedelta(hours=number + 1))
    await insert(writing.world, crm.owner)

    sample = await drawn(crm, ana, 90)

    first = [message.sent_at for message in sample.messages[:30]]
    assert min(first) < NOW - timedelta(hours=60) and max(first) > NOW - timedelta(hours=31)


async def test_the_answer_tells_good_messages_from_bad_ones(crm: Crm) -> None:
    writing = Writing()
    ana, rui = writing.world.agent("Ana"), writing.world.agent("Rui")
    for _ in range(12):
        writing.write(ana, GOOD, asked="Meu pedido atrasou!")
        writing.write(rui, BAD, asked="Meu pedido atrasou!")
    await insert(writing.world, crm.owner)

    good, bad = await analyze(crm, ana), await analyze(crm, rui)

    assert (good["method"], good["model"], good["usage"]) == ("heuristic", None, {"tokens": 0})
    assert good["grammar_analysis"]["average_score"] > bad["grammar_analysis"]["average_score"]
    assert good["tone_analysis"]["average_score"] > bad["tone_analysis"]["average_score"]
    assert good["overall_ci95"]["low"] > bad["overall_ci95"]["high"]
    assert (bad["n"], bad["failed"], bad["partial"]) == (12, 0, False)
    assert "agreement" in bad["grammar_analysis"]["top_issues"]
    assert {example["message_id"] for example in bad["examples"]} <= {str(row.id) for row in writing.world.messages}
    assert bad["recommendations"] and "12 de 12" in bad["recommendations"][0]
    assert bad["brand_alignment"]["alignment_score"] is None  # no brand is set, so there is nothing to align with
    assert sum(bad["tone_analysis"]["tone_distribution"].values()) == 12


async def test_the_tenants_brand_words_count(crm: Crm) -> None:
    writing = Writing()
    ana = writing.world.agent("Ana")
    for _ in range(3):
        writing.write(ana, "Temos uma promoção imperdível no plano Aurora, quer saber mais?")
    writing.world.setting("brand_preferred_words", ["plano Aurora"])
    writing.world.setting("brand_avoided_words", ["imperdível"])
    writing.world.setting("language", "en")
    await insert(writing.world, crm.owner)

    brand = (await analyze(crm, ana))["brand_alignment"]

    assert brand["n"] == 3 and 0 < brand["alignment_score"] < 10
    assert [issue["messages"] for issue in brand["violations"]] == [3]
    assert [issue["messages"] for issue in brand["strengths"]] == [3]


async def test_an_ai_agents_messages_are_those_it_sent_as_a_bot(crm: Crm) -> None:
    writing = Writing()
    machine = writing.world.agent("Assistente", "ai")
    writing.write(machine, GOOD).source = "bot"
    await insert(writing.world, crm.owner)

    answer = await analyze(crm, machine)

    assert (answer["agent_type"], answer["sample"]["eligible"]) == ("ai", 1)


async def test_an_agent_without_messages_has_no_scores_and_no_zeros(crm: Crm) -> None:
    world = World("tenant-a")
    ana = world.agent("Ana")
    await insert(world, crm.owner)

    answer = await analyze(crm, ana)

    assert answer["overall_quality_score"] is answer["overall_ci95"] is None
    assert answer["grammar_analysis"]["average_score"] is answer["tone_analysis"]["consistency"] is None
    assert (answer["n"], answer["examples"], answer["recommendations"]) == (0, [], [])
    assert "no message" in answer["warnings"][0]


@pytest.mark.parametrize("type", ["system", "virtual"])
async def test_an_agent_that_writes_nothing_of_its_own_is_refused(crm: Crm, type: str) -> None:
    world = World("tenant-a")
    machine = world.agent("Sistema", type)
    await insert(world, crm.owner)

    with pytest.raises(InvalidArguments, match="writes no messages of its own"):
        await analyze(crm, machine)


async def test_another_tenants_agent_is_as_unknown_as_none(crm: Crm) -> None:
    world, other = World("tenant-a"), World("tenant-b")
    stranger = other.agent("Ana")
    gone = world.agent("Rui", deleted_at=NOW)
    world.absorb(other)
    await insert(world, crm.owner)

    for agent_id in (stranger.id, gone.id, uuid4()):
        with pytest.raises(NotFound) as refusal:
            await crm.call("analyze_agent_messages", {"agent_id": str(agent_id)}, tenant="tenant-a", now=NOW)
        assert refusal.value.message == f"There is no agent {agent_id}. list_agents has the ids."


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"sample_size": 0}, "sample_size"),
        ({"sample_size": 501}, "sample_size"),
        ({"sample_size": "50"}, "sample_size"),
        ({"sample_size": 1.5}, "sample_size"),
        ({"agent_id": "ana"}, "agent_id"),
        ({"start_date": "2026-02-02", "end_date": "2026-02-01"}, "end_date"),
        ({"period": "month"}, "period"),
    ],
)
async def test_what_is_wrong_is_named(crm: Crm, arguments: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArguments) as refusal:
        await crm.call("analyze_agent_messages", {"agent_id": str(uuid4())} | arguments, tenant="tenant-a")
    assert [problem["field"] for problem in refusal.value.details["fields"]] == [field]
