"""What the server's roles can reach, read from PostgreSQL's catalogue: a known list and nothing else."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from tests.conftest import Crm
from tests.database import Cluster, template_of
from tests.tenancy.access import Connection
from tests.tenancy.conftest import A

READ = (
    *("agents", "assignments", "contacts", "messages", "pipelines", "qualifications", "ratings"),
    *("session_agents", "sessions", "settings", "sources", "stage_history", "stages", "timeline"),
)
# What may be written, by view: columns to insert, columns to update. Never a tenant, never a key.
WRITTEN = {
    "assignments": (
        {"contact_id", "agent_id", "priority", "notes", "assigned_by", "assigned_at"},
        {"superseded_at"},
    ),
    "qualifications": (
        {
            *("contact_id", "status", "reason", "budget", "authority", "need", "timeline"),
            *("score", "weights_version", "decided_by", "decided_at"),
        },
        {"superseded_at"},
    ),
}
FUNCTIONS = ("folded", "open_seconds", "stage_key", "uuid_or_null")
READ_BY_THE_OWNER = (
    *("mcp_store.tenant_settings", "public.agent_sessions", "public.agents", "public.contact_events"),
    *("public.contact_pipeline_statuses", "public.contacts", "public.messages", "public.pipeline_statuses"),
    *("public.pipelines", "public.session_ratings", "public.sessions"),
)
WRITTEN_BY_THE_OWNER = ("mcp_store.assignments", "mcp_store.qualifications")
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
    """Return holder, relation and privilege for each relation outside PostgreSQL's own schemas."""
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
           and has_table_privilege(holder, c.oid, privilege)
        """,
        holders,
        ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", *newer],
    )


async def test_the_roles_reach_the_views_and_no_other_relation(owner: Connection, holders: list[str]) -> None:
    reached = await rights_on_relations(owner, holders)

    assert reached == {(role, f"mcp.{view}", "SELECT") for role in ("mcp_reader", "mcp_writer") for view in READ}


async def test_the_writer_may_set_known_columns_and_nobody_any_other(owner: Connection, holders: list[str]) -> None:
    reached = await found(
        owner,
        f"""
        select holder, c.oid::regclass::text, a.attname, privilege
          from pg_class c
          join pg_namespace n on n.oid = c.relnamespace
          join pg_attribute a on a.attrelid = c.oid and not a.attisdropped
         cross join unnest($1::text[]) holder
         cross join unnest(array['INSERT', 'UPDATE', 'REFERENCES']) privilege
         where {OURS}
           and c.relkind in ('r', 'v', 'm', 'f', 'p')
           and has_column_privilege(holder, c.oid, a.attnum, privilege)
        """,
        holders,
    )

    assert {
        ("mcp_writer", f"mcp.{view}", column, privilege)
        for view, (inserted, updated) in WRITTEN.items()
        for privilege, names in (("INSERT", inserted), ("UPDATE", updated))
        for column in names
    } == reached


async def test_nobody_reads_a_column_of_anything_but_a_view(owner: Connection, holders: list[str]) -> None:
    reached = await found(
        owner,
        f"""
        select distinct c.oid::regclass::text
          from pg_class c
          join pg_namespace n on n.oid = c.relnamespace
         cross join unnest($1::text[]) holder
         where {OURS}
           and c.relkind in ('r', 'v', 'm', 'f', 'p')
           and has_any_column_privilege(holder, c.oid, 'SELECT')
        """,
        holders,
    )

    assert {(f"mcp.{view}",) for view in READ} == reached


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
           and has_function_privilege(holder, p.oid, 'EXECUTE')
        """,
        holders,
    )

    assert {(role, f"mcp.{name}") for role in ("mcp_reader", "mcp_writer") for name in FUNCTIONS} == reached


async def test_no_function_borrows_rights_or_slips_under_a_barrier(owner: Connection) -> None:
    """A leakproof function is evaluated beneath a security barrier, a definer's with its owner's rights."""
    unsafe = await found(
        owner,
        f"""
        select p.oid::regproc::text
          from pg_proc p
          join pg_namespace n on n.oid = p.pronamespace
         where {OURS}
           and (p.prosecdef or p.proleakproof)
        """,
    )

    assert set() == unsafe


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
    powers = "rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication"
    rows = await owner.fetch(
        f"select rolname, rolcanlogin, array[{powers}] as powers, rolconfig from pg_roles where rolname = any ($1)",
        [*ROLES, cluster.login],
    )

    assert {
        **{role: (False, [False] * 5, None) for role in ROLES},
        cluster.login: (True, [False] * 5, None),
    } == {row["rolname"]: (row["rolcanlogin"], row["powers"], row["rolconfig"]) for row in rows}


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

    for view in READ:
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
        list(WRITTEN),
    )

    assert {row["relname"] for row in rows} == set(READ)
    for row in rows:
        assert (row["relkind"], row["owner"]) == (b"v", "mcp_owner"), row["relname"]
        assert row["barrier"] and row["predicate"] and not row["invoker"] and not row["rewritten"], row["relname"]
        assert row["checked"] or not row["written"], row["relname"]


async def test_the_owner_of_the_views_has_of_the_tables_what_the_views_need(owner: Connection) -> None:
    reached = await rights_on_relations(owner, ["mcp_owner"])

    assert {(name, privilege) for _, name, privilege in reached if not name.startswith("mcp.")} == {
        *((table, "SELECT") for table in READ_BY_THE_OWNER),
        *((table, privilege) for table in WRITTEN_BY_THE_OWNER for privilege in ("SELECT", "INSERT", "UPDATE")),
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
