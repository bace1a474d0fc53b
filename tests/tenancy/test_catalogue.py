"""What the server's roles can reach, read from PostgreSQL's catalogue: a known list and nothing else."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from tests.conftest import Crm
from tests.database import Cluster, template_of
from tests.tenancy.access import Connection
from tests.tenancy.conftest import A

# What our own tables have beside the rows of the CRM, and an adopted database has not.
FACT_VIEWS = ("journeys", "lead_slots", "leads", "live_journeys", "live_waits", "waits")
READ = (
    *FACT_VIEWS,
    *("agents", "assignments", "audit_log", "contacts", "decisions", "messages", "pipelines", "qualifications"),
    *("ratings", "session_agents", "sessions", "settings", "sources", "stage_history", "stages", "timeline"),
)
READ_BY_THE_WRITER = ("agent_sessions", "custom_fields", "idempotency_keys", "message_scores", "model_usage", "outbox")
WRITTEN = {
    "INSERT": {
        *("agent_sessions", "assignments", "audit_log", "custom_fields", "idempotency_keys", "message_scores"),
        *("model_usage", "outbox", "qualifications", "stage_history", "timeline"),
    },
    "UPDATE": {
        *("agent_sessions", "assignments", "contacts", "custom_fields", "idempotency_keys", "message_scores"),
        *("model_usage", "qualifications", "sessions", "stage_history"),
    },
    "DELETE": {"idempotency_keys", "message_scores"},
}
# Whose a row is, and which: "insert … on conflict do update" would take over what it names. Defaults set these.
NEVER_SET = {"tenant_id", "id", "event_id", "number", "previous_hash", "hash"}
# For the views' owner only: what facts are made with.
OF_NOBODY = {"live_keys", "live_leads", "marks"}
FACT_FUNCTIONS = ("marked_contacts", "marked_journeys", "marked_lead_slots", "marked_leads", "marked_waits")
FUNCTIONS = (
    *("folded", "journeys_between", "lead_sums", "leads_between", "open_seconds", "stage_key", "uuid_or_null"),
    *("counted_response_times", "response_places", "waits_are_counted", "waits_between"),
    *FACT_FUNCTIONS,
)
RUN_BY_THE_WRITER = ("refresh_facts",)
FACT_DEFINERS = {
    *("mcp.counted_response_times", "mcp.lead_sums", "mcp.refresh_facts", "mcp.waits_are_counted"),
    *(f"mcp.{name}" for name in FACT_FUNCTIONS),
    *("mcp_store.mark_agent", "mcp_store.mark_changed_contact", "mcp_store.mark_contacts"),
    *("mcp_store.mark_contacts_themselves", "mcp_store.mark_everybody", "mcp_store.mark_joined_sessions"),
    *("mcp_store.mark_moved_contact", "mcp_store.mark_moved_joining", "mcp_store.mark_moved_message"),
    *("mcp_store.mark_moved_pipeline", "mcp_store.mark_sessions", "mcp_store.mark_stage", "mcp_store.mark_tenant"),
    "mcp_store.wait_for_joinings",
}
DEFINERS = {"mcp_store.chain_audit_entry", *FACT_DEFINERS}
FACT_COUNTS = {"mcp_store.fact_wait_counts", "mcp_store.fact_wait_days"}
FACTS = {
    *("mcp_store.fact_journeys", "mcp_store.fact_keys", "mcp_store.fact_lead_slots", "mcp_store.fact_leads"),
    *("mcp_store.fact_marks", "mcp_store.fact_waits"),
    *FACT_COUNTS,
}
OF_THE_OWNER = {
    "SELECT": {
        *FACTS,
        *("mcp_store.message_scores", "mcp_store.model_usage"),
        *("mcp_store.assignments", "mcp_store.audit_log", "mcp_store.idempotency_keys", "mcp_store.qualifications"),
        *("mcp_store.tenant_settings", "public.agent_sessions", "public.agents", "public.contact_custom_fields"),
        *("public.contact_events", "public.contact_pipeline_statuses", "public.contacts", "public.messages"),
        *("public.outbox_events", "public.pipeline_statuses", "public.pipelines", "public.session_ratings"),
        "public.sessions",
    },
    "INSERT": {
        *FACTS,
        *("mcp_store.message_scores", "mcp_store.model_usage"),
        *("mcp_store.assignments", "mcp_store.audit_log", "mcp_store.idempotency_keys", "mcp_store.qualifications"),
        *("public.agent_sessions", "public.contact_custom_fields", "public.contact_events"),
        *("public.contact_pipeline_statuses", "public.outbox_events"),
    },
    "UPDATE": {
        *FACT_COUNTS,
        *("mcp_store.message_scores", "mcp_store.model_usage"),
        *("mcp_store.assignments", "mcp_store.idempotency_keys", "mcp_store.qualifications", "public.agent_sessions"),
        *("public.contact_custom_fields", "public.contact_pipeline_statuses", "public.contacts", "public.sessions"),
    },
    "DELETE": {"mcp_store.idempotency_keys", "mcp_store.message_scores", *FACTS},
}
ROLES = ("mcp_owner", "mcp_reader", "mcp_writer")

OURS = "n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'"


@pytest.fixture
async def owner(cluster: Cluster) -> AsyncIterator[Connection]:
    """A connection to the migrated template, which nothing here changes."""
    connection = await asyncpg.connect(cluster.owner_url(template_of(cluster)))
    yield connection
    await connection.close()


@pytest.fixture
def holders(cluster: Cluster) -> list[str]:
    """Who the rights are asked of: the roles, the login by itself, and everybody."""
    return ["mcp_reader", "mcp_writer", cluster.login, "public"]


async def found(owner: Connection, sql: str, *values: Any) -> set[tuple[Any, ...]]:
    return {tuple(row) for row in await owner.fetch(sql, *values)}


async def rights_on_relations(owner: Connection, holders: list[str]) -> set[tuple[Any, ...]]:
    """Return holder, relation and privilege, be it of a single column, outside PostgreSQL's own schemas."""
    newer = ["MAINTAIN"] if owner.get_server_version().major >= 17 else []
    return await found(
        owner,
        f"""
        select holder, n.nspname || '.' || c.relname, privilege
          from pg_class c
          join pg_namespace n on n.oid = c.relnamespace
         cross join unnest($1::text[]) holder
         cross join unnest($2::text[]) privilege
         where {OURS}
           and c.relkind in ('r', 'v', 'm', 'f', 'p')
           and case when privilege in ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES')
                    then has_any_column_privilege(holder, c.oid, privilege)
                    else has_table_privilege(holder, c.oid, privilege) end
        """,
        holders,
        ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", *newer],
    )


async def test_the_roles_reach_known_views_and_no_other_relation(owner: Connection, holders: list[str]) -> None:
    assert await rights_on_relations(owner, holders) == {
        *((role, f"mcp.{view}", "SELECT") for role in ("mcp_reader", "mcp_writer") for view in READ),
        *(("mcp_writer", f"mcp.{view}", "SELECT") for view in READ_BY_THE_WRITER),
        *(("mcp_writer", f"mcp.{view}", privilege) for privilege, written in WRITTEN.items() for view in written),
    }


async def test_nobody_may_say_whose_a_row_is_or_which(owner: Connection) -> None:
    settable = await found(
        owner,
        """
        select distinct c.relname, a.attname
          from pg_class c
          join pg_attribute a on a.attrelid = c.oid
         where c.relnamespace = 'mcp'::regnamespace
           and a.attname = any ($1)
           and has_column_privilege('mcp_writer', c.oid, a.attnum, 'INSERT, UPDATE')
        """,
        list(NEVER_SET),
    )

    assert settable == set()


async def test_there_is_no_sequence_to_count_by(owner: Connection, holders: list[str]) -> None:
    reached = await found(
        owner,
        f"""
        select holder, c.oid::regclass::text
          from pg_class c
          join pg_namespace n on n.oid = c.relnamespace
         cross join unnest($1::text[]) holder
         where {OURS}
           and c.relkind = 'S'
           and has_sequence_privilege(holder, c.oid, 'USAGE, SELECT, UPDATE')
        """,
        holders,
    )

    assert set() == reached


async def test_the_roles_may_run_known_functions_and_everybody_none(owner: Connection, holders: list[str]) -> None:
    reached = await found(
        owner,
        f"""
        select holder, p.oid::regproc::text
          from pg_proc p
          join pg_namespace n on n.oid = p.pronamespace
         cross join unnest($1::text[]) holder
         where {OURS}
           and has_schema_privilege(holder, n.oid, 'USAGE')
           and has_function_privilege(holder, p.oid, 'EXECUTE')
        """,
        holders,
    )

    assert reached == {
        *((role, f"mcp.{name}") for role in ("mcp_reader", "mcp_writer") for name in FUNCTIONS),
        *(("mcp_writer", f"mcp.{name}") for name in RUN_BY_THE_WRITER),
    }


async def test_no_function_slips_under_a_barrier_and_known_ones_borrow_rights(owner: Connection) -> None:
    """A leakproof function is evaluated beneath a barrier, a definer's with its owner's rights wherever it looks."""
    rows = await owner.fetch(
        f"""
        select n.nspname || '.' || p.proname as name,
               p.proleakproof,
               p.prosecdef,
               coalesce(p.proconfig::text like '%search_path=%', false) as looks_where_told
          from pg_proc p
          join pg_namespace n on n.oid = p.pronamespace
         where {OURS}
        """
    )

    assert [row["name"] for row in rows if row["proleakproof"]] == []
    assert {row["name"] for row in rows if row["prosecdef"]} == DEFINERS
    assert all(row["looks_where_told"] for row in rows if row["prosecdef"])


async def test_nobody_may_create_anything(owner: Connection, holders: list[str]) -> None:
    creators = await found(
        owner,
        """
        select holder, n.nspname
          from unnest($1::text[]) holder, pg_namespace n
         where has_schema_privilege(holder, n.oid, 'CREATE')
         union all
        select holder, d.datname
          from unnest($1::text[]) holder, pg_database d
         where d.datname = current_database()
           and has_database_privilege(holder, d.oid, 'CREATE')
        """,
        holders,
    )

    assert set() == creators


async def test_the_roles_enter_one_schema_of_ours_and_the_login_none(owner: Connection, holders: list[str]) -> None:
    entered = await found(
        owner,
        f"""
        select holder, n.nspname
          from unnest($1::text[]) holder, pg_namespace n
         where {OURS}
           and n.nspname <> 'public'  -- everybody may enter it, and finds nothing to read
           and has_schema_privilege(holder, n.oid, 'USAGE')
        """,
        holders,
    )

    assert {("mcp_reader", "mcp"), ("mcp_writer", "mcp")} == entered


async def test_the_roles_have_no_powers(owner: Connection, cluster: Cluster) -> None:
    """Where another database of the server is an adopted one, the views' owner passes by the policies there."""
    passes_by = "rolbypassrls and rolname <> 'mcp_owner'"
    powers = f"rolsuper, {passes_by}, rolcreaterole, rolcreatedb, rolreplication"
    rows = await owner.fetch(
        f"select rolname, rolcanlogin, array[{powers}] as powers, rolconfig from pg_roles where rolname = any ($1)",
        [*ROLES, cluster.login],
    )

    assert {
        **{role: (False, [False] * 5, None) for role in ROLES},
        cluster.login: (True, [False] * 5, None),
    } == {row["rolname"]: (row["rolcanlogin"], row["powers"], row["rolconfig"]) for row in rows}


async def test_no_table_has_policies_to_pass_by(owner: Connection) -> None:
    assert set() == await found(owner, "select relname from pg_class where relrowsecurity or relforcerowsecurity")


async def test_only_the_login_is_a_member_and_inherits_nothing(owner: Connection, cluster: Cluster) -> None:
    assert set() == await found(
        owner,
        """
        select member.rolname, role.rolname
          from pg_auth_members m
          join pg_roles member on member.oid = m.member
          join pg_roles role on role.oid = m.roleid
         where member.rolname = any ($1)
        """,
        list(ROLES),
    )
    assert {("mcp_reader", False), ("mcp_writer", False)} == await found(
        owner,
        """
        select role.rolname, m.admin_option
          from pg_auth_members m
          join pg_roles role on role.oid = m.roleid
         where m.member = $1::regrole
        """,
        cluster.login,
    )
    inherited = await found(
        owner,
        "select role from unnest($2::text[]) role where pg_has_role($1, role, 'USAGE')",
        cluster.login,
        list(ROLES),
    )
    assert set() == inherited


async def test_the_login_by_itself_sees_no_view(both: Crm, login: Connection) -> None:
    await login.execute(f"set mcp.tenant_id = '{A.tenant}'")

    for view in (*READ, *READ_BY_THE_WRITER):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await login.fetch(f"select from mcp.{view}")


async def test_every_view_is_a_barrier_that_names_the_tenant(owner: Connection) -> None:
    rows = await owner.fetch(
        """
        select c.relname,
               c.relkind,
               pg_get_userbyid(c.relowner) as owner,
               c.reloptions @> array['security_barrier=true'] as barrier,
               coalesce(c.reloptions::text like '%security_invoker%', false) as invoker,
               c.reloptions @> array['check_option=cascaded'] as checked,
               c.relname = any ($1) as written,
               pg_get_viewdef(c.oid) like '%NULLIF(current_setting(''mcp.tenant_id''%' as predicate,
               c.relhastriggers or (select count(*) from pg_rewrite r where r.ev_class = c.oid) > 1 as rewritten
          from pg_class c
         where c.relnamespace = 'mcp'::regnamespace
           and c.relkind not in ('i', 'c')
        """,
        list(WRITTEN["INSERT"] | WRITTEN["UPDATE"]),
    )

    assert {row["relname"] for row in rows} == {*READ, *READ_BY_THE_WRITER, *OF_NOBODY}
    for row in rows:
        assert (row["relkind"], row["owner"]) == (b"v", "mcp_owner"), row["relname"]
        assert row["barrier"] and row["predicate"] and not row["invoker"] and not row["rewritten"], row["relname"]
        assert row["checked"] or not row["written"], row["relname"]


async def test_the_owner_of_the_views_has_of_the_tables_what_the_views_need(owner: Connection) -> None:
    reached = await rights_on_relations(owner, ["mcp_owner"])

    assert {(name, privilege) for _, name, privilege in reached if not name.startswith("mcp.")} == {
        (table, privilege) for privilege, tables in OF_THE_OWNER.items() for table in tables
    }


async def test_nothing_made_later_is_opened_by_default(owner: Connection) -> None:
    assert set() == await found(owner, "select defaclrole::regrole::text, defaclobjtype::text from pg_default_acl")


async def test_statistics_of_the_tables_are_not_shown(both: Crm, login: Connection) -> None:
    """The planner's most common values are values of all tenants."""
    await both.owner.execute("analyze")
    for role in ("mcp_reader", "mcp_writer"):
        async with login.transaction():
            await login.execute(f"set local role {role}")
            assert (
                await login.fetch(
                    f"select s.tablename from pg_stats s join pg_namespace n on n.nspname = s.schemaname where {OURS}"
                )
                == []
            )
