"""An adopted database has the views and rights of one of our own tables, and no right beyond the page's list."""

import re
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.adopt.database import ADOPTED, SOURCE
from tests.adopt.page import written
from tests.commands.test_migrate import SOURCE as OWN
from tests.database import Cluster, template_of
from tests.tenancy.access import Connection
from tests.tenancy.test_catalogue import (
    DEFINERS,
    FACT_DEFINERS,
    FACT_VIEWS,
    FACTS,
    OF_NOBODY,
    OF_THE_OWNER,
    rights_on_relations,
)

READ_TABLES = OF_THE_OWNER["SELECT"] - {"public.session_ratings"} - FACTS
COLUMNS = """
select c.table_name, c.column_name, c.data_type, c.column_default
  from information_schema.columns c
 where c.table_schema = 'mcp'
 order by c.table_name, c.ordinal_position
"""
GRANTED = """
select c.relname, a.attname, p.privilege_type
  from pg_attribute a
  join pg_class c on c.oid = a.attrelid
 cross join lateral aclexplode(a.attacl) p
 where c.relnamespace = 'public'::regnamespace
   and p.grantee = 'mcp_owner'::regrole
"""
# What a statement begins with that makes something, or lets the server's roles do something.
MAKES = re.compile(r"create|alter view|comment|(grant|revoke) .* (to|from) (public|mcp_reader|mcp_writer)")
# Of these, by what they make, those that only one source has, or has in another text.
ONLY_OWN = {
    *("create view mcp.contacts", "create view mcp.decisions", "create view mcp.ratings", "create view mcp.sources"),
    # A Ventros database may lack the table; there it is made as far as it can be.
    *("create view mcp.custom_fields", "alter view mcp.custom_fields"),
    # The CRM may rely on what everybody may do.
    "revoke create on",
}
# What queries ask functions for: our own answer from facts, those of an adopted database from its rows.
FACTS_OR_ROWS = {"facts", "journeys", "cheaper_reads", "counted_waits"}
SIGNATURES = """
select p.proname, pg_get_function_identity_arguments(p.oid), pg_get_function_result(p.oid), p.provolatile::text
  from pg_proc p
 where p.pronamespace = 'mcp'::regnamespace
   and (p.proname like '%_between'
        or p.proname in ('counted_response_times', 'lead_sums', 'response_places', 'waits_are_counted'))
 order by 1
"""
ONLY_VENTROS = {
    *("create view mcp.contacts", "create view mcp.decisions", "create view mcp.ratings", "create view mcp.sources"),
    *("create function mcp_store.has_custom_fields()", "revoke all on", "revoke select on"),
}


@pytest.fixture
async def own(cluster: Cluster) -> AsyncIterator[Connection]:
    """The template of our own tables."""
    connection = await asyncpg.connect(cluster.owner_url(template_of(cluster)))
    yield connection
    await connection.close()


@pytest.fixture
async def adopted(ventros: Cluster) -> AsyncIterator[Connection]:
    """The template of an adopted database."""
    connection = await asyncpg.connect(ventros.owner_url(template_of(ventros, ADOPTED)))
    yield connection
    await connection.close()


def made(source: Path) -> Counter[str]:
    """Return the statements of a source that make something, each in one line; without the CRM's own tables."""
    paths = [path for path in sorted(source.glob("*.sql")) if path.stem[5:] not in FACTS_OR_ROWS]
    text = "\n".join(path.read_text(encoding="utf-8") for path in paths)
    text = re.sub(r"--[^\n]*", "", text)
    # A function's body is not the end of its statement.
    text = re.sub(r"\$\$.*?\$\$", lambda body: body[0].replace(";", "\0"), text, flags=re.DOTALL)
    lines = Counter(" ".join(statement.split()) for statement in text.split(";"))
    return Counter(
        {line: n for line, n in lines.items() if MAKES.match(line) and " public." not in line.partition("(")[0]}
    )


def beginnings(found: Counter[str]) -> set[str]:
    return {" ".join(statement.split()[:3]) for statement in found}


def test_the_two_sources_make_the_same_but_for_what_is_named_here() -> None:
    """Whoever changes a view of one source changes that of the other."""
    own, ventros = made(OWN), made(SOURCE)

    assert (own & ventros).total() > 40
    assert beginnings(own - ventros) == ONLY_OWN
    assert beginnings(ventros - own) == ONLY_VENTROS


async def test_the_views_have_the_same_columns_types_and_defaults(own: Connection, adopted: Connection) -> None:
    of_facts = {*FACT_VIEWS, *OF_NOBODY}
    assert await adopted.fetch(COLUMNS) == [row for row in await own.fetch(COLUMNS) if row[0] not in of_facts]


async def test_functions_that_queries_ask_are_called_alike(own: Connection, adopted: Connection) -> None:
    signatures = await own.fetch(SIGNATURES)

    assert await adopted.fetch(SIGNATURES) == signatures
    assert len(signatures) == 7


async def test_the_roles_have_the_same_rights(own: Connection, adopted: Connection, cluster: Cluster) -> None:
    holders = ["mcp_reader", "mcp_writer", cluster.login, "public"]

    of_facts = {f"mcp.{view}" for view in FACT_VIEWS}
    rights = await rights_on_relations(own, holders)
    assert await rights_on_relations(adopted, holders) == {right for right in rights if right[1] not in of_facts}


async def test_the_views_owner_writes_the_listed_columns_and_no_others(adopted: Connection) -> None:
    granted = {(table, privilege, column) for table, column, privilege in await adopted.fetch(GRANTED)}

    assert granted == written()


async def test_the_views_owner_has_no_right_on_a_whole_table_but_to_read_some(adopted: Connection) -> None:
    rows = await adopted.fetch(
        """
        select c.oid::regclass::text as name, p.privilege_type
          from pg_class c
         cross join lateral aclexplode(c.relacl) p
         where c.relnamespace = 'public'::regnamespace
           and p.grantee = 'mcp_owner'::regrole
        """
    )

    reads = {name.removeprefix("public.") for name in READ_TABLES if name.startswith("public.")}
    assert {tuple(row) for row in rows} == {(name, "SELECT") for name in reads}


async def test_every_view_is_the_owners_and_a_barrier(adopted: Connection) -> None:
    rows: list[Any] = await adopted.fetch(
        """
        select pg_get_userbyid(c.relowner) as owner,
               c.reloptions @> array['security_barrier=true'] as barrier,
               pg_get_viewdef(c.oid) like '%current_setting(''mcp.tenant_id''%'
               or pg_get_viewdef(c.oid) not like '% FROM %' as filtered
          from pg_class c
         where c.relnamespace = 'mcp'::regnamespace
           and c.relkind = 'v'
        """
    )

    assert {tuple(row) for row in rows} == {("mcp_owner", True, True)}


async def test_functions_that_borrow_rights_are_the_same(adopted: Connection) -> None:
    rows = await adopted.fetch(
        "select n.nspname || '.' || p.proname as name from pg_proc p join pg_namespace n on n.oid = p.pronamespace"
        " where n.nspname in ('mcp', 'mcp_store') and p.prosecdef"
    )

    assert {row["name"] for row in rows} == DEFINERS - FACT_DEFINERS
