"""What each command answers, and the sentence it fails with."""

import asyncio
import base64
import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import typer

from handlers import CATALOG
from handlers.demo import TABLES, DemoPlan
from handlers.tenants import TenantSettings
from rpc_server.__main__ import app
from rpc_server.backends.claims import TokenRefused
from rpc_server.backends.tokens import Tokens
from rpc_server.commands.demo import load
from rpc_server.commands.failure import CommandFailed
from tests.commands.conftest import Database
from tests.commands.program import Program, Said, command, is_running, running, wait_until
from tests.conftest import SECRET, Crm, Server
from tests.facts.facts import differences


def commands_of(group: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, found in group.commands.items():
        if hasattr(found, "commands"):
            yield from commands_of(found, *path, name)
        else:
            yield (*path, name), found


COMMANDS = dict(commands_of(typer.main.get_command(app)))
# What each needs from the environment, so that its help must name it.
NEEDS = {
    ("serve",): ["DATABASE_URL", "JWT_SECRET", "--dev"],
    ("migrate",): ["DATABASE_OWNER_URL", "DATABASE_URL"],
    ("demo",): ["DATABASE_OWNER_URL", "DATABASE_URL", "serve --dev"],
    ("tenant", "show"): ["DATABASE_OWNER_URL", "DATABASE_URL", "serve --dev"],
    ("tenant", "set"): ["DATABASE_OWNER_URL", "DATABASE_URL", "serve --dev"],
    ("audit", "verify"): ["DATABASE_OWNER_URL", "DATABASE_URL", "serve --dev"],
    ("audit", "show"): ["DATABASE_OWNER_URL", "DATABASE_URL", "serve --dev"],
    ("token",): ["JWT_SECRET", "serve --dev"],
    ("tools",): [],
    ("smoke",): ["JWT_SECRET", "serve --dev"],
}


def test_every_command_is_known_to_these_tests() -> None:
    assert set(NEEDS) == set(COMMANDS)


@pytest.mark.parametrize("path", NEEDS, ids=" ".join)
def test_help_names_every_option_and_what_the_command_needs(path: tuple[str, ...]) -> None:
    said = command(*path, "--help")
    assert said.status == 0
    text = " ".join(said.out.split())
    for parameter in COMMANDS[path].params:
        if parameter.name != "help":
            assert parameter.help, parameter.name
            assert parameter.help in re.sub(r"[│\s]+", " ", said.out), parameter.name
            for option in parameter.opts:
                assert option in text or parameter.param_type_name == "argument"
    for need in NEEDS[path]:
        assert need in text


def test_without_a_command_the_commands_are_listed() -> None:
    text = command().out
    for path in COMMANDS:
        assert path[0] in text


def token(*options: str, **environment: str) -> Said:
    return command("token", "--tenant", "aurora", *options, **{"JWT_SECRET": SECRET, **environment})


def test_a_token_says_who_and_what_for() -> None:
    caller = Tokens(SECRET).verify(token().out.strip())
    assert ("aurora", "developer", {"*"}) == (caller.tenant_id, caller.user_id, set(caller.permissions))
    options = ["--user", "ana", "--permission", "analytics.view", "--permission", "members.view"]
    caller = Tokens(SECRET).verify(token(*options).out.strip())
    assert ("ana", {"analytics.view", "members.view"}) == (caller.user_id, set(caller.permissions))


@pytest.mark.parametrize(("text", "seconds"), [("30m", 1800), ("24h", 86_400), ("7d", 604_800)])
def test_a_token_expires_when_asked_to(text: str, seconds: int) -> None:
    payload = token("--expires", text).out.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(f"{payload}=="))
    assert seconds == claims["exp"] - claims["iat"]
    assert abs(claims["iat"] - time.time()) < 30


@pytest.mark.parametrize("text", ["0h", "-1h", "24", "h", "1w", "1.5h", "123456d", " 1h", "1h\n", "٣h"])
def test_a_lifetime_that_is_none_is_refused(text: str) -> None:
    token("--expires", text).refused(f"--expires is {text!r}; it must be like 30m, 24h or 7d.")


def test_a_token_that_the_server_would_refuse_is_not_made() -> None:
    said = command("token", "--tenant", "", JWT_SECRET=SECRET)
    said.refused("The server would refuse it: The token's tenant_id must be a printable text")
    assert not said.out


def test_a_token_needs_a_secret_of_32_bytes(tmp_path: Path) -> None:
    token(JWT_SECRET="too short").refused("JWT_SECRET must have at least 32 bytes; it has 9", "openssl rand -hex 32")
    token(JWT_SECRET="", DATA_DIR=str(tmp_path)).refused("Set JWT_SECRET", "start 'serve --dev' once")
    assert not list(tmp_path.iterdir())


def test_a_token_can_be_of_the_secret_that_serve_dev_keeps(tmp_path: Path) -> None:
    (tmp_path / "jwt_secret").write_text("a secret that serve --dev made, some time ago\n")
    kept = token(JWT_SECRET="", DATA_DIR=str(tmp_path)).out.strip()
    assert Tokens("a secret that serve --dev made, some time ago").verify(kept).tenant_id == "aurora"
    with pytest.raises(TokenRefused):
        Tokens(SECRET).verify(kept)


def test_tools_lists_each_tool_with_its_permission() -> None:
    text = command("tools").out
    for tool in CATALOG.values():
        assert f"{tool.name}  ({', '.join(sorted(tool.permissions))})\n    {tool.description.splitlines()[0]}\n" in text


async def test_tools_as_json_is_what_the_server_lists(server: Server) -> None:
    printed = json.loads((await asyncio.to_thread(command, "tools", "--json")).out)
    _, answer = await server.rpc({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    assert printed == answer["result"]["tools"]
    assert [tool["name"] for tool in printed] == list(CATALOG)


def test_a_tenants_settings_are_shown_with_meaning_and_default(database: Database) -> None:
    text = command("tenant", "show", "--tenant", "a", **database.environment).out
    for name, field in TenantSettings.model_fields.items():
        assert f"{name} = {json.dumps(field.default)}  (default)\n    {field.description}\n" in text


@pytest.mark.parametrize(
    ("assignment", "shown"),
    [
        ("time_zone=America/Recife", 'time_zone = "America/Recife"'),
        ("business_hours=mon-fri 08:00-18:00; sat 09:00-13:00", '= "mon-fri 08:00-18:00; sat 09:00-13:00"'),
        ("lead_tag=2024", 'lead_tag = "2024"'),
        ('lead_tag="é cliente"', 'lead_tag = "é cliente"'),
        ('won_stage_names=["Pago", "Ganho"]', 'won_stage_names = ["Pago", "Ganho"]'),
        ('bant_weights={"budget": 2}', 'bant_weights = {"budget": 2.0}'),
        ("conversion_window_days=30", "conversion_window_days = 30"),
        ("brand_guide=Você, nunca tu = sempre.", 'brand_guide = "Você, nunca tu = sempre."'),
        ("language=en", 'language = "en"'),
        ("external_model=yes", "external_model = true"),
    ],
)
def test_a_setting_is_stored_shown_and_taken_back(database: Database, assignment: str, shown: str) -> None:
    key = assignment.partition("=")[0]
    done = command("tenant", "set", "--tenant", "a", assignment, **database.environment)
    assert (0, f"Tenant a: {key} changed.\n") == (done.status, done.out)
    assert f"{shown}\n" in command("tenant", "show", "--tenant", "a", **database.environment).out
    assert f"{key} = {json.dumps(TenantSettings.model_fields[key].default)}  (default)" in (
        command("tenant", "show", "--tenant", "b", **database.environment).out
    )
    command("tenant", "set", "--tenant", "a", f"{key}=", **database.environment)
    assert database.value("select count(*) from mcp_store.tenant_settings") == 0


@pytest.mark.parametrize(
    ("assignment", "sentence"),
    [
        ("colour=red", "'colour=red' is not KEY=VALUE with one of the keys time_zone, business_hours,"),
        ("time_zone", "'time_zone' is not KEY=VALUE"),
        ("time_zone=America/Nowhere", "time_zone: 'America/Nowhere' is no IANA time zone; one is America/Sao_Paulo."),
        ("business_hours=mon-fri 08:00-12:00; fri 11:00-13:00", "business_hours: business hours overlap."),
        ("business_hours=always", "business_hours: 'always' is not like 'mon-fri 08:00-18:00'."),
        ("conversion_window_days=0", "conversion_window_days: Input should be greater than or equal to 1."),
        ("conversion_window_days=soon", "conversion_window_days: Input should be a valid integer"),
        ("won_stage_names=Pago", "won_stage_names: Input should be a valid list."),
        ("language=fr", "language: Input should be 'pt-BR' or 'en'."),
    ],
)
def test_a_setting_that_does_not_fit_is_refused_and_nothing_is_changed(
    database: Database, assignment: str, sentence: str
) -> None:
    said = command("tenant", "set", "--tenant", "a", "language=en", assignment, **database.environment)
    said.refused(sentence)
    assert "Value error" not in said.err
    assert database.value("select count(*) from mcp_store.tenant_settings") == 0


def test_a_setting_that_no_longer_fits_is_shown_with_what_counts_instead(database: Database) -> None:
    database.execute("insert into mcp_store.tenant_settings values ('a', 'time_zone', '\"Mars/Olympus\"')")
    said = command("tenant", "show", "--tenant", "a", **database.environment)
    assert 'time_zone = "Mars/Olympus"  (does not fit; "America/Sao_Paulo" counts)' in said.out


async def test_settings_reach_the_tools(crm: Crm) -> None:
    assignments = ["time_zone=America/Recife", "lead_tag=lead"]
    where = {"DATABASE_OWNER_URL": crm.owner_url}
    said = await asyncio.to_thread(command, "tenant", "set", "--tenant", "a", *assignments, **where)
    assert said.status == 0
    answer = await crm.call("get_leads_count", {"period": "week"}, tenant="a")
    assert answer["period"]["time_zone"] == "America/Recife"
    other = await crm.call("get_leads_count", {"period": "week"}, tenant="b")
    assert other["period"]["time_zone"] == "America/Sao_Paulo"


FOREIGN_KEYS = """
select k.conname as name,
       k.conrelid::regclass::text as source,
       k.confrelid::regclass::text as target,
       a.attname as field
  from pg_constraint k
  join pg_attribute a on a.attrelid = k.conrelid and a.attnum = any (k.conkey)
 where k.contype = 'f'
"""


def demo(database: Database, *options: str, tenant: str = "a") -> Said:
    return command("demo", "--tenant", tenant, "--until", "2026-01-01", *options, **database.environment)


def fingerprints(database: Database) -> dict[str, str]:
    return {
        table: database.value(f"select md5(string_agg(t::text, e'\\n' order by t::text)) from {table} t")
        for table in TABLES
    }


def test_the_same_seed_gives_the_same_rows_in_any_database(database: Database, other_database: Database) -> None:
    first = demo(database, "--contacts", "40", "--seed", "7")
    assert re.fullmatch(r"Tenant a: 40 contacts, [\d,]+ rows in all\.\n", first.out.splitlines(keepends=True)[-1])
    assert database.value("select count(*) from contacts where tenant_id = 'a'") == 40
    demo(other_database, "--contacts", "40", "--seed", "7")
    assert fingerprints(database) == fingerprints(other_database)
    demo(other_database, "--contacts", "40", "--seed", "8", tenant="b")
    assert fingerprints(database) != fingerprints(other_database)


def test_a_tenant_with_data_is_refused_and_kept(database: Database) -> None:
    demo(database, "--contacts", "5")
    before = fingerprints(database)
    demo(database, "--contacts", "5", "--seed", "2").refused("The tenant 'a' has data already; choose another name.")
    assert fingerprints(database) == before


async def test_of_two_that_fill_one_tenant_at_once_one_is_refused(crm: Crm) -> None:
    async def fill(seed: int) -> int:
        connection = await asyncpg.connect(crm.owner_url)
        try:
            plan = DemoPlan(tenant_id="a", contacts=5, seed=seed, until=datetime(2026, 1, 1, tzinfo=UTC))
            return await load(connection, plan, lambda done: None)
        finally:
            await connection.close()

    outcomes = await asyncio.gather(fill(1), fill(2), return_exceptions=True)
    assert [CommandFailed] == [type(outcome) for outcome in outcomes if not isinstance(outcome, int)]
    assert await crm.owner.fetchval("select count(*) from contacts") == 5


@pytest.mark.parametrize("end", [Program.kill, Program.interrupt, Program.terminate])
def test_ended_half_way_it_leaves_nothing(end: Callable[[Program], None], database: Database, tmp_path: Path) -> None:
    loading = "select count(*) from pg_stat_activity where datname = current_database() and backend_xid is not null"
    others = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    size = ("--contacts", "100000", "--until", "2026-01-01")
    with running(tmp_path / "out", "demo", "--tenant", "a", *size, **database.environment) as program:
        wait_until(lambda: database.value(loading) == 1)
        assert database.value("select count(*) from contacts") == 0
        (maker,) = program.children()
        end(program)
        assert program.status() != 0
        assert "Traceback" not in program.said()
    wait_until(lambda: database.value(others) == 0)
    wait_until(lambda: not is_running(maker))
    assert {None} == set(fingerprints(database).values())
    assert demo(database, "--contacts", "5").status == 0


@pytest.mark.parametrize("is_superuser", [True, False])
async def test_a_load_leaves_all_facts_made_and_no_mark_but_those_of_others(crm: Crm, is_superuser: bool) -> None:
    await crm.owner.execute("insert into mcp_store.fact_marks (tenant_id) values ('a')")
    plan = DemoPlan(tenant_id="a", contacts=700, seed=3, until=datetime(2026, 1, 1, tzinfo=UTC))
    if not is_superuser:
        await crm.owner.execute("create role loader nosuperuser; grant mcp_owner to loader")
        await crm.owner.execute("grant all on all tables in schema public to loader")
        await crm.owner.execute("set session authorization loader")

    await load(crm.owner, plan, lambda done: None)

    await crm.owner.execute("reset session authorization")
    if not is_superuser:
        await crm.owner.execute("drop owned by loader; drop role loader")
    assert await crm.owner.fetchval("select count(*) from mcp_store.fact_leads where tenant_id = 'a'") > 600
    assert await crm.owner.fetchval("select count(*) from mcp_store.fact_marks") == 1
    await crm.owner.execute("delete from mcp_store.fact_marks")
    assert await differences(crm.owner, "a") == []


async def test_a_load_meets_every_foreign_key_and_leaves_them_checked(crm: Crm) -> None:
    done: list[int] = []
    await load(
        crm.owner, DemoPlan(tenant_id="a", contacts=1200, seed=3, until=datetime(2026, 1, 1, tzinfo=UTC)), done.append
    )

    keys = await crm.owner.fetch(FOREIGN_KEYS)
    broken = [
        key["name"]
        for key in keys
        if await crm.owner.fetchval(
            f"select exists (select from {key['source']} r where r.{key['field']} is not null"
            f" and not exists (select from {key['target']} t where t.id = r.{key['field']}))"
        )
    ]
    assert (sum(done), broken) == (1200, [])
    assert len(keys) > 20
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await crm.owner.execute("update public.messages set contact_id = gen_random_uuid()")


@pytest.mark.parametrize("arguments", ["migrate", "demo --tenant a", "tenant show --tenant a"])
def test_without_a_database_the_command_says_how_to_name_one(arguments: str, tmp_path: Path) -> None:
    said = command(*arguments.split(), DATA_DIR=str(tmp_path))
    said.refused("Set DATABASE_OWNER_URL to a login that owns the database, or start 'serve --dev' beside this.")


@pytest.mark.parametrize("arguments", ["migrate", "demo --tenant a", "tenant set --tenant a language=en"])
@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql://u@127.0.0.1:1/crm", "Connect call failed"),
        ("postgresql://u@/crm?host=/nonexistent", "No such file"),
        ("postgresql://u@no-such-host.invalid/crm", "not known|resolution|No address"),
        ("mysql://u@127.0.0.1/crm", "scheme|DSN"),
        ("crm", "scheme|DSN"),
    ],
)
def test_a_database_out_of_reach_is_told_in_a_sentence(arguments: str, url: str, reason: str) -> None:
    sentence = command(*arguments.split(), DATABASE_OWNER_URL=url).refused("PostgreSQL cannot be reached: ")
    assert re.search(reason, sentence)
    assert "Check DATABASE_OWNER_URL" in sentence


def test_a_database_that_is_not_there_is_told(database: Database) -> None:
    url = database.owner_url.replace("/crm_test_", "/no_such_", 1)
    command("migrate", DATABASE_OWNER_URL=url).refused('PostgreSQL cannot be reached: database "no_such_')


@pytest.mark.parametrize(
    "arguments", ["demo --tenant a", "tenant show --tenant a", "tenant set --tenant a language=en"]
)
def test_a_database_that_nobody_migrated_is_told(empty_database: Database, arguments: str) -> None:
    said = command(*arguments.split(), **empty_database.environment)
    said.refused("The database lacks tables", "Run 'python -m rpc_server migrate' first.")


def test_a_login_without_the_right_to_load_is_told(database: Database) -> None:
    said = command("demo", "--tenant", "a", DATABASE_URL=database.server_url)
    said.refused("PostgreSQL refuses: permission denied", "DATABASE_OWNER_URL needs a login that owns the database.")


def test_settings_that_do_not_fit_are_named_by_their_variable() -> None:
    said = command("serve", PORT="http", LOG_LEVEL="loud")
    assert said.status == 1
    assert "PORT: Input should be a valid integer" in said.err
    assert "LOG_LEVEL: String should match pattern" in said.err
    assert "PORT: Input should be less than" in command("serve", "--port", "99999").err
