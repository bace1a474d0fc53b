import gc
import hashlib
import json
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import pairwise
from pathlib import Path
from statistics import NormalDist
from uuid import UUID

import pytest

from handlers.demo import TABLES, DemoPlan, generate
from handlers.demo.chance import DRAWS
from handlers.demo.goods import circumstances, offers
from handlers.demo.wording import PHRASES

ROOT = Path(__file__).parents[2]
UNTIL = datetime(2026, 3, 18, 15, 30, tzinfo=UTC)
LOCAL = timedelta(hours=-3)

Record = dict[str, object]

PYTHON_TYPE: dict[str, type] = {
    "uuid": UUID,
    "text": str,
    "varchar": str,
    "jsonb": str,
    "boolean": bool,
    "integer": int,
    "bigint": int,
    "smallint": int,
    "numeric": Decimal,
    "timestamptz": datetime,
}


def plan(contacts: int, tenant: str = "user-1d98bbd3", seed: int = 7, days: int = 400) -> DemoPlan:
    return DemoPlan(tenant, contacts, seed, UNTIL, days)


@cache
def records(contacts: int, tenant: str = "user-1d98bbd3", days: int = 400) -> dict[str, list[Record]]:
    """All rows of a plan, by table, as column to value."""
    found: dict[str, list[Record]] = {table: [] for table in TABLES}
    for batch in generate(plan(contacts, tenant, days=days)):
        for table, rows in batch.rows.items():
            found[table] += [dict(zip(TABLES[table], row, strict=True)) for row in rows]
    return found


def digest(contacts: int) -> str:
    whole = hashlib.sha256()
    for batch in generate(plan(contacts)):
        whole.update(repr(batch).encode())
    return whole.hexdigest()


@cache
def ddl() -> dict[str, dict[str, str]]:
    """Column definitions of every table, as the migrations write them."""
    tables: dict[str, dict[str, str]] = {}
    for file in ("0001_tables.sql", "0002_store.sql"):
        text = (ROOT / "sql" / "crm" / file).read_text()
        for name, body in re.findall(r"create table (\S+) \((.*?)\n\);", text, re.S):
            lines = re.findall(r'^    "?(\w+)"?\s+(\S.*?),?$', body, re.M)
            tables[name] = {column: rest for column, rest in lines if rest.split("(")[0].split()[0] in PYTHON_TYPE}
    return tables


def times(record: Record) -> list[datetime]:
    return [value for value in record.values() if isinstance(value, datetime)]


def hour(at: object) -> int:
    assert isinstance(at, datetime)
    return (at + LOCAL).hour


def test_the_same_plan_gives_the_same_rows_whatever_the_hash_seed_of_the_process() -> None:
    code = "from tests.unit.test_demo import digest; print(digest(120))"

    def elsewhere(hash_seed: str) -> str:
        env = os.environ | {"PYTHONHASHSEED": hash_seed}
        run = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True
        )
        return run.stdout.strip()

    assert digest(120) == digest(120) == elsewhere("1") == elsewhere("2")


def test_another_seed_gives_other_people() -> None:
    batches = [list(generate(plan(20, seed=seed))) for seed in (1, 2)]
    assert batches[0] != batches[1]


def test_ids_outlive_the_version_of_python_and_the_size_of_the_plan() -> None:
    small, large = records(120), records(2000)
    for table in ("public.users", "public.projects", "public.agents", "public.pipelines", "public.pipeline_statuses"):
        assert [r["id"] for r in small[table]] == [r["id"] for r in large[table]]
    assert str(small["public.agents"][0]["id"]) == "a6436943-adab-4430-ac7c-7aceb5499860"
    first, same = small["public.contacts"][0], large["public.contacts"][0]
    assert str(first["id"]) == str(same["id"]) == "5dafb163-af2b-405d-abff-f5be1fa3d37b"
    assert first["name"] == same["name"] == "Anderson Cardoso"
    # No phrase decides when anything happens, so this changes only with the ways of people.
    messages = "".join(f"{r['id']}{r['timestamp']}" for r in small["public.messages"])
    assert hashlib.sha256(messages.encode()).hexdigest()[:16] == "6cc47c9bb2a4fb90"


def test_two_tenants_of_one_seed_share_no_id() -> None:
    one, other = records(120), records(120, "user-0badcafe")
    assert one["public.agents"][1]["name"] != other["public.agents"][1]["name"]
    ids = [r["id"] for found in (one, other) for rows in found.values() for r in rows]
    assert len(set(ids)) == len(ids)
    assert all(isinstance(i, UUID) and i.version == 4 for i in ids)


def test_every_column_exists_and_takes_the_values() -> None:
    for table, rows in records(2000).items():
        columns = ddl()[table]
        assert set(TABLES[table]) <= set(columns)
        required = {c for c, rest in columns.items() if "not null" in rest and "default" not in rest}
        assert required <= set(TABLES[table])
        for record in rows:
            for column, value in record.items():
                kind = columns[column].split()[0].split("(")[0]
                if value is None:
                    assert "not null" not in columns[column], (table, column)
                else:
                    assert type(value) is PYTHON_TYPE[kind], (table, column, value)
                    if kind == "jsonb":
                        json.loads(str(value))


def test_no_column_is_always_null() -> None:
    for table, rows in records(2000).items():
        for column in TABLES[table]:
            if (table, column) != ("mcp_store.assignments", "notes"):
                assert any(r[column] is not None for r in rows), (table, column)


def test_foreign_keys_are_met_by_the_batch_or_an_earlier_one() -> None:
    keys = {
        (table, column): target
        for table, columns in ddl().items()
        for column, rest in columns.items()
        for target in re.findall(r"references (\S+)", rest)
        if table in TABLES and column in TABLES[table]
    }
    keys |= {("mcp_store.qualifications", "contact_id"): "public.contacts"}
    keys |= {("mcp_store.assignments", "contact_id"): "public.contacts"}
    keys |= {("mcp_store.assignments", "agent_id"): "public.agents"}
    keys |= {("public.sessions", "pipeline_id"): "public.pipelines", ("public.messages", "user_id"): "public.users"}
    known: dict[str, set[object]] = {table: set() for table in TABLES}
    total = 0
    for batch in generate(plan(1200)):
        total += batch.contacts
        assert batch.contacts == len(batch.rows["public.contacts"]) <= 1000
        for table in TABLES:
            places = [(TABLES[table].index(c), target) for (t, c), target in keys.items() if t == table]
            for row in batch.rows[table]:
                known[table].add(row[0])
                assert all(row[at] is None or row[at] in known[target] for at, target in places), (table, row)
    assert total == 1200
    assert len(keys) > 20


def test_nothing_happens_after_the_end_and_seconds_are_whole() -> None:
    for found in (records(2000), records(120, days=3)):
        for table, rows in found.items():
            for record in rows:
                for at in times(record):
                    assert at <= UNTIL, (table, record)
                    assert at.microsecond == 0
                    assert at.tzinfo is UTC


def test_contacts_arrive_over_the_days_and_grow_in_number() -> None:
    created = sorted(at for r in records(2000)["public.contacts"] if isinstance(at := r["created_at"], datetime))
    assert created[0] > UNTIL - timedelta(days=400)
    half = UNTIL - timedelta(days=200)
    assert 1.1 < sum(at > half for at in created) / sum(at <= half for at in created) < 1.6
    assert sum(at > UNTIL - timedelta(days=18) for at in created) > 60
    recent = [r["created_at"] for r in records(120, days=3)["public.contacts"]]
    assert all(isinstance(at, datetime) and at > UNTIL - timedelta(days=3) for at in recent)


def test_a_contact_stands_in_exactly_one_stage_of_a_pipeline_and_its_history_has_no_gap() -> None:
    histories = defaultdict(list)
    for record in records(2000)["public.contact_pipeline_statuses"]:
        histories[record["contact_id"], record["pipeline_id"]].append(record)
    assert len(histories) > 2000
    for history in histories.values():
        history.sort(key=lambda r: str(r["entered_at"]))
        assert [r["exited_at"] is None for r in history] == [False] * (len(history) - 1) + [True]
        for before, after in pairwise(history):
            assert before["exited_at"] == after["entered_at"]
            assert before["status_id"] != after["status_id"]
            lasted = before["duration"]
            assert isinstance(lasted, int)
            assert isinstance(at := before["entered_at"], datetime)
            assert at + timedelta(seconds=lasted) == before["exited_at"]
            assert lasted > 0


def test_some_contacts_skip_stages_some_step_back_and_some_are_won_twice() -> None:
    found = records(2000)
    stage = {r["id"]: (r["name"], r["position"]) for r in found["public.pipeline_statuses"]}
    ways = defaultdict(list)
    for record in sorted(found["public.contact_pipeline_statuses"], key=lambda r: str(r["entered_at"])):
        ways[record["contact_id"], record["pipeline_id"]].append(stage[record["status_id"]])
    won = Counter(contact for (contact, _), way in ways.items() for name, _ in way if name in ("Ganho", "Fechado"))
    places = [[place for _, place in way if isinstance(place, int)] for way in ways.values()]
    assert sum(count > 1 for count in won.values()) > 10
    assert sum(any(b < a for a, b in pairwise(way)) for way in places) > 50
    assert sum(any(b > a + 1 for a, b in pairwise(way)) for way in places) > 300


def test_a_stage_that_is_won_was_won_in_a_conversation() -> None:
    found = records(2000)
    won = {r["id"] for r in found["public.pipeline_statuses"] if r["name"] in ("Ganho", "Fechado")}
    spans = defaultdict(list)
    for session in found["public.sessions"]:
        spans[session["contact_id"]].append((session["started_at"], session["last_activity_at"]))
    entered = [r for r in found["public.contact_pipeline_statuses"] if r["status_id"] in won]
    assert len(entered) > 200
    for record in entered:
        at = record["entered_at"]
        assert isinstance(at, datetime)
        assert any(
            since <= at <= last + timedelta(minutes=15)
            for since, last in spans[record["contact_id"]]
            if isinstance(since, datetime) and isinstance(last, datetime)
        )


def test_the_best_agent_converts_clearly_more_than_the_worst() -> None:
    found = records(2000)
    humans = {str(r["id"]): r for r in found["public.agents"] if r["type"] == "human"}
    won = {r["id"] for r in found["public.pipeline_statuses"] if r["name"] == "Ganho"}
    winners = {r["contact_id"] for r in found["public.contact_pipeline_statuses"] if r["status_id"] in won}
    met = defaultdict(set)
    for session in found["public.sessions"]:
        for agent in json.loads(str(session["agent_ids"] or "[]")):
            if agent in humans:
                met[agent].add(session["contact_id"])
    rates = sorted(len(contacts & winners) / len(contacts) for contacts in met.values() if len(contacts) > 50)
    assert len(rates) == 12
    assert rates[0] < 0.12
    assert rates[-1] > 0.3
    newest = max(humans.values(), key=lambda r: str(r["created_at"]))
    assert 0 < len(met[str(newest["id"])]) < 30


def test_the_team_has_every_type_of_agent_one_who_left_and_users_for_the_people() -> None:
    agents = records(120)["public.agents"]
    types = Counter(r["type"] for r in agents)
    assert 8 <= types.pop("human") <= 14
    assert types == {"ai": 1, "bot": 1, "system": 1, "virtual": 1}
    assert sum(r["active"] is False for r in agents) == 1
    assert all((r["user_id"] is not None) == (r["type"] == "human") for r in agents)
    assert len({r["name"] for r in agents}) == len(agents)


def test_nights_and_weekends_are_quieter_than_days_but_not_empty() -> None:
    messages = records(2000)["public.messages"]
    inbound = Counter(hour(r["timestamp"]) for r in messages if not r["from_me"])
    typed = Counter(hour(r["timestamp"]) for r in messages if r["from_me"] and r["source"] == "manual")
    for hours in (inbound, typed):
        assert 0 < sum(hours[h] for h in range(7)) < sum(hours[h] for h in range(9, 16)) / 20
    days = Counter((at + LOCAL).weekday() for r in messages if isinstance(at := r["timestamp"], datetime))
    assert 0 < days[6] < days[5] < min(days[d] for d in range(5))


def test_sessions_count_their_messages_and_span_them() -> None:
    found = records(2000)
    messages = defaultdict(list)
    for record in found["public.messages"]:
        messages[record["session_id"]].append(record)
    for session in found["public.sessions"]:
        said = messages[session["id"]]
        inbound = [r["timestamp"] for r in said if not r["from_me"]]
        assert session["message_count"] == len(said) > 0
        assert session["messages_from_contact"] == len(inbound)
        assert session["messages_from_agent"] == len(said) - len(inbound)
        assert session["first_contact_message_at"] == (inbound[0] if inbound else None)
        assert session["last_activity_at"] == said[-1]["timestamp"]
        moments = [str(r["timestamp"]) for r in said]
        assert moments == sorted(moments)
        assert all(r["contact_id"] == session["contact_id"] for r in said)
        assert (session["ended_at"] is None) == (session["status"] == "active") == (session["end_reason"] is None)


def test_contacts_bear_their_first_and_last_message_and_have_12_to_15_on_average() -> None:
    found = records(2000)
    span: dict[object, tuple[object, object]] = {}
    for record in sorted(found["public.messages"], key=lambda r: str(r["timestamp"])):
        first = span.get(record["contact_id"], (record["timestamp"],))[0]
        span[record["contact_id"]] = (first, record["timestamp"])
    for contact in found["public.contacts"]:
        expected = span.get(contact["id"], (None, None))
        assert (contact["first_interaction_at"], contact["last_interaction_at"]) == expected
    assert 12 <= len(found["public.messages"]) / 2000 <= 15
    assert 0.03 < sum(contact["id"] not in span for contact in found["public.contacts"]) / 2000 < 0.12
    assert 0 < sum(contact["deleted_at"] is not None for contact in found["public.contacts"]) < 50


def test_only_recent_conversations_are_still_going_on() -> None:
    running = [r for r in records(2000)["public.sessions"] if r["status"] == "active"]
    assert len(running) > 5
    assert all(isinstance(at := r["last_activity_at"], datetime) and UNTIL - at < timedelta(days=3) for r in running)


def test_senders_stand_as_the_wild_has_them() -> None:
    found = records(2000)
    agents = {r["type"]: r["id"] for r in found["public.agents"] if r["type"] != "human"}
    people = {r["id"] for r in found["public.agents"] if r["type"] == "human"}
    users = {r["user_id"] for r in found["public.agents"] if r["type"] == "human"}
    typed = [r["agent_id"] for r in found["public.messages"] if r["from_me"] and r["source"] == "manual"]
    assert set(typed) <= people | users
    assert 0.28 < sum(sender in users for sender in typed) / len(typed) < 0.38
    for record in found["public.messages"]:
        if not record["from_me"]:
            assert (record["agent_id"], record["source"]) == (agents["system"], "manual")
        elif record["source"] == "bot":
            assert record["agent_id"] in (agents["bot"], agents["ai"])
    sources = Counter(r["source"] for r in found["public.messages"])
    assert set(sources) == {"manual", "bot", "broadcast", "sequence", "system"}
    mute = Counter(r["content_type"] for r in found["public.messages"] if r["text"] is None)
    assert set(mute) == {"image", "audio"}


def test_texts_are_varied_in_both_languages_and_every_slot_is_filled() -> None:
    messages = records(2000)["public.messages"]
    texts = [str(r["text"]) for r in messages if r["text"]]
    assert not [text for text in texts if "{" in text or "}" in text]
    assert all(len(set(texts[at : at + 1000])) > 600 for at in range(0, len(texts) - 1000, 1000))
    spoken = Counter(r["language"] for r in messages)
    assert 0.08 < spoken["en"] / len(messages) < 0.22
    assert set(spoken) == {"pt", "en"}
    written = "\n".join(texts)
    for expected in ("preço", "preco", "vc", "R$ 1.", "R$ 1,", "PIX", "kkk", "Oi, ainda tem", "How much", "Desculp"):
        assert expected in written


def test_customers_give_away_made_up_personal_data() -> None:
    said = "\n".join(str(r["text"]) for r in records(2000)["public.messages"] if not r["from_me"])
    assert re.search(r"\b\d{3}\.\d{3}\.\d{3}-\d{2}\b", said)
    assert re.search(r"\(\d\d\) 90\d{3}-\d{4}", said)
    domains = set(re.findall(r"[\w.]+@([\w.]+)\b", said))
    assert domains
    assert all(domain.startswith("example.") or domain.endswith(".example") for domain in domains)


def test_every_phrase_can_be_said() -> None:
    own = {"name", "person", "agent", "thanks", "company", "grat", "Grat", "hi", "hi_low"}
    for language, phrases in PHRASES.items():
        slots = own | set(offers(language)[0]) | set(circumstances(language)[0])
        text = repr((phrases.TEAM, phrases.CUSTOMER, phrases.MACHINE, phrases.NOTES, phrases.REASONS))
        assert set(re.findall(r"\{(\w+)\}", text)) <= slots
    assert set(PHRASES["pt"].TEAM) == set(PHRASES["en"].TEAM)
    assert set(PHRASES["pt"].CUSTOMER) == set(PHRASES["en"].CUSTOMER)
    assert set(PHRASES["pt"].MACHINE) == set(PHRASES["en"].MACHINE)


def test_fast_agents_answer_sooner_and_better_agents_get_more_stars() -> None:
    found = records(2000)
    owner = {r["id"]: json.loads(str(r["agent_ids"] or "[]")) for r in found["public.sessions"]}
    order = [str(r["id"]) for r in found["public.agents"]]
    waits, stars = defaultdict(list), defaultdict(list)
    for session in found["public.sessions"]:
        if session["contact_wait_time_seconds"] is not None and owner[session["id"]]:
            waits[owner[session["id"]][-1]].append(session["contact_wait_time_seconds"])
    for rating in found["public.session_ratings"]:
        stars[owner[rating["session_id"]][-1]].append(rating["rating"])
    best, worst = order[1], order[11]
    median = {agent: sorted(map(int, map(str, found)))[len(found) // 2] for agent, found in waits.items()}
    assert 10 * median[best] < median[worst]
    mean = {agent: sum(map(int, map(str, found))) / len(found) for agent, found in stars.items()}
    assert mean[best] > mean[worst] + 1
    ended = sum(r["ended_at"] is not None for r in found["public.sessions"])
    assert 0.1 < len(found["public.session_ratings"]) / ended < 0.2


def test_decisions_and_owners_have_one_current_row_and_a_score_that_is_the_mean() -> None:
    found = records(2000)
    for table in ("mcp_store.qualifications", "mcp_store.assignments"):
        current = [r["contact_id"] for r in found[table] if r["superseded_at"] is None]
        assert len(set(current)) == len(current)
        assert {r["contact_id"] for r in found[table]} == set(current)
        assert len(found[table]) > len(current)
        share = len(current) / 2000
        assert (0.38 < share < 0.52) if table.endswith("qualifications") else (0.7 < share < 0.88)
    for record in found["mcp_store.qualifications"]:
        parts = [v for c in ("budget", "authority", "need", "timeline") if isinstance(v := record[c], int)]
        assert all(0 <= part <= 10 for part in parts)
        mean = (Decimal(sum(parts)) / len(parts)).quantize(Decimal("0.01")) if parts else None
        assert record["score"] == mean


def test_conversations_were_handed_over_from_machines_and_between_people() -> None:
    found = records(2000)
    roles = Counter(r["role_in_session"] for r in found["public.agent_sessions"])
    assert {"primary", "handoff", "ai_assistant", "ai_primary"} <= set(roles)
    for session in found["public.sessions"]:
        agents = json.loads(str(session["agent_ids"] or "[]"))
        assert session["agent_transfers"] == max(0, len(agents) - 1)
    covered = {r["session_id"] for r in found["public.agent_sessions"]}
    assert 0.7 < len(covered) / len(found["public.sessions"]) < 0.95


@pytest.mark.parametrize(("contacts", "days"), [(0, 400), (1, 400), (3, 1)])
def test_the_smallest_plans_work(contacts: int, days: int) -> None:
    found = records(contacts, "tiny", days)
    assert len(found["public.contacts"]) == contacts
    assert len(found["public.projects"]) == 1


def test_who_arrives_in_the_very_last_seconds_has_entered_the_pipeline_too() -> None:
    # With these seeds somebody does.
    for seed in (3, 12, 13):
        batches = list(generate(plan(400, seed=seed, days=1)))
        entered = [row for batch in batches for row in batch.rows["public.contact_pipeline_statuses"]]
        assert len({row[1] for row in entered}) > 350


@pytest.mark.parametrize(
    "wrong",
    [
        {"tenant_id": ""},
        {"contacts": -1},
        {"days": 0},
        {"until": datetime(2026, 3, 18)},  # noqa: DTZ001 - the mistake itself
    ],
)
def test_a_plan_without_sense_is_refused(wrong: dict[str, object]) -> None:
    sensible: dict[str, object] = {"tenant_id": "t", "contacts": 1, "seed": 1, "until": UNTIL}
    with pytest.raises(ValueError, match=r"\."):
        DemoPlan(**(sensible | wrong))  # type: ignore[arg-type]


def test_the_garbage_collector_is_left_as_it_was_found() -> None:
    for _ in generate(plan(3)):
        assert gc.isenabled()
    gc.disable()
    try:
        for _ in generate(plan(3)):
            assert not gc.isenabled()
    finally:
        gc.enable()


def test_the_quantiles_are_rounded_far_from_where_the_last_bit_of_a_logarithm_matters() -> None:
    for i in range(DRAWS):
        thousands = NormalDist().inv_cdf((i + 0.5) / DRAWS) * 1000
        assert abs(thousands % 1 - 0.5) > 1e-6
