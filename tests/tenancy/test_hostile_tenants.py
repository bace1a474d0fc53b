"""Tenants with names that no tenant should have: each sees its own rows, and a name without rows sees none."""

import itertools
import unicodedata
from collections.abc import Mapping
from typing import Any

import asyncpg
import orjson
import pytest

from rpc_server.backends.postgres import Postgres, quoted
from rpc_server.contract.errors import DependencyUnavailable
from rpc_server.contract.query import Query
from tests.conftest import Crm, Server, StartServer
from tests.tenancy.access import Connection, views
from tests.tenancy.conftest import A
from tests.tenancy.rows import Marked, fill, foreign_marks

# What a token may carry: up to 512 printable characters, not all blank.
PRINTABLE = (
    *("'", "''", "'''", "\\", "\\'", "\\\\'", "tenant-a'", "'tenant-a", "''tenant-a''", "tenant-a\\", "\\tenant-a"),
    *("tenant-a'' or ''1''=''1", "tenant-a' or '1'='1", "' or true --", "tenant-a'--", "tenant-a';--", "tenant-a/*"),
    *(
        "'; reset role; set local mcp.tenant_id = 'tenant-a",
        "\\'; set local mcp.tenant_id = \\'tenant-a",
        "*/",
        "/* */",
    ),
    *("'; drop table public.contacts cascade; --", "'; commit; --", "tenant-a'; rollback; begin; --"),
    *("$$", "$$tenant-a$$", "$tag$tenant-a$tag$", "$1", "%", "_", "tenant_a", "tenant-%", "%s", "{0}", "--", ";", "?"),
    *("E'tenant-a'", " E'tenant-a'", "U&'tenant\\002Da'", "'||'tenant-a", "chr(116)", '"', '"tenant-a"', 'tenant-a"'),
    *("default", "DEFAULT", "null", "NULL", "none", "true", "0", "''::text", "mcp.tenant_id", "mcp_owner", "postgres"),
    *(
        "TENANT-A",
        "Tenant-A",
        " tenant-a",
        "tenant-a ",
        "tenant-a,tenant-b",
        "tenant-a;tenant-b",
        "tenant‐a",
        "tenant-\u0430",
    ),
    *("ténant-a", unicodedata.normalize("NFD", "ténant-a"), "ｔｅｎａｎｔ-ａ", "tenant-a😀", "😀", "ß", "SS", "ı", "İ"),
    *("x" * 300, "'" * 300, "\\" * 300, "😀" * 300, "tenant-a" + "'" * 292),
)
# What no token may carry.
UNPRINTABLE = (
    "",
    " ",
    "\n",
    "tenant-a\n",
    "\ttenant-a",
    "tenant-a\u200b",
    "\u202etenant-a",
    "tenant\u00a0a",
    "\ufeff",
    "x" * 513,
)

CALLS: Mapping[str, Any] = {
    "get_leads_count": {"period": "all"},
    "get_agent_conversion_stats": {},
    "get_top_performing_agent": {"metric": "conversion_rate", "period": "week"},
    "find_contacts": {"limit": 100},
    "list_agents": {},
    "list_pipelines": {},
    "get_contact": {"contact_id": str(A.id("contact"))},
}


async def all_rows(crm: Crm) -> Query:
    """Return the query for every row of every view, as JSON."""
    parts = [f"select to_jsonb(v) as row from mcp.{view} v" for view in await views(crm.owner, "mcp_reader")]
    return Query("all_rows", " union all ".join(parts), ())


async def seen_by(crm: Crm, tenant: str, query: Query) -> str:
    """Return what the tenant sees through the server's own way to the database."""
    async with crm.postgres.snapshot(tenant, lambda: None) as snapshot:
        return orjson.dumps([dict(row) for row in await snapshot.all(query)]).decode()


async def fingerprint(crm: Crm) -> list[Any]:
    """Return what stands in all tables, in short."""
    tables = await crm.owner.fetch(
        "select oid::regclass::text as name from pg_class where relkind = 'r' and oid > 16384 order by 1"
    )
    return [
        (
            table["name"],
            await crm.owner.fetchval(f"select md5(string_agg(t::text, '|' order by t::text)) from {table['name']} t"),
        )
        for table in tables
    ]


async def test_a_quoted_name_is_that_name_whatever_the_server_makes_of_backslashes(login: Connection) -> None:
    for standard in ("on", "off"):
        await login.execute(f"set standard_conforming_strings = {standard}")
        for name in (*PRINTABLE, *UNPRINTABLE):
            assert await login.fetchval(f"select {quoted(name)} as when_{standard}") == name


async def test_a_name_without_rows_sees_none(crm: Crm) -> None:
    query = await all_rows(crm)
    nothing = await seen_by(crm, "nobody", query)
    await fill(crm.owner, A, crm.now)
    before = await fingerprint(crm)

    seen = {name: await seen_by(crm, name, query) for name in (*PRINTABLE, *UNPRINTABLE) if name}

    assert dict.fromkeys(seen, nothing) == seen
    assert await seen_by(crm, "", query) == "[]"
    assert before == await fingerprint(crm)
    assert A.mark in await seen_by(crm, A.tenant, query)


async def test_a_name_with_rows_sees_exactly_these(crm: Crm) -> None:
    tenants = [A, *(Marked(name, number, contacts=1) for number, name in enumerate(PRINTABLE, start=2))]
    for tenant in tenants:
        await fill(crm.owner, tenant, crm.now)
    query = await all_rows(crm)
    total = 0

    for tenant in tenants:
        seen = await seen_by(crm, tenant.tenant, query)
        assert foreign_marks(seen, tenant, tenants) == [], tenant.tenant
        assert str(tenant.id("contact")) in seen, tenant.tenant
        total += len(orjson.loads(seen))

    assert total == sum([len(orjson.loads(await seen_by(crm, tenant.tenant, query))) for tenant in tenants])


async def test_a_hostile_name_in_a_real_token_gets_its_own_empty_crm(crm: Crm, server: Server) -> None:
    """Each name with a tool, in turn: the way from the token to the database is the same for all of them."""
    await fill(crm.owner, A, crm.now)
    for name, tool in zip(PRINTABLE, itertools.cycle(CALLS), strict=False):
        for asked, arguments in ((tool, CALLS[tool]), ("find_contacts", {"query": A.mark})):
            status, answer = await server.execute(asked, arguments, server.bearer(name))
            assert status == (404 if asked == "get_contact" else 200), (name, asked, answer)
            about = orjson.dumps(answer).decode().replace(str(A.id("contact")), "")
            assert A.mark not in about, (name, asked)


async def test_a_quote_more_makes_another_tenant_over_http_too(crm: Crm, server: Server) -> None:
    names = ("tenant-a'", "tenant-a''", "tenant-a\\", "tenant-a\\'", "TENANT-A", "tenant-a ", "tenant-a' or '1'='1")
    tenants = [A, *(Marked(name, number, contacts=number) for number, name in enumerate(names, start=4))]
    for tenant in tenants:
        await fill(crm.owner, tenant, crm.now)

    for tenant in tenants:
        _, answer = await server.execute("find_contacts", {"limit": 100}, server.bearer(tenant.tenant))
        found = {contact["contact_id"] for contact in answer["result"]["contacts"]}
        assert tenant.ids("contact", tenant.contacts) == found, tenant.tenant


async def test_an_unprintable_tenant_is_refused_with_its_token(start_server: StartServer) -> None:
    server = await start_server()
    for name in (*UNPRINTABLE, "tenant-a\x00", "\x00"):
        status, answer = await server.execute("list_agents", {}, server.bearer(name))
        assert (status, answer["error"]["code"]) == (401, "unauthenticated"), repr(name)


async def test_a_name_that_postgres_cannot_take_gets_no_rows_and_harms_no_connection(crm: Crm) -> None:
    await fill(crm.owner, A, crm.now)
    query = await all_rows(crm)
    nothing = await seen_by(crm, "nobody", query)

    # The first one before its statement, the others ahead of it.
    refusals = (DependencyUnavailable, UnicodeEncodeError, asyncpg.CharacterNotInRepertoireError)
    async with Postgres(crm.server_url, size=1, acquire_seconds=2) as postgres:
        for name in ("tenant-a\x00", "\x00", "tenant-a\ud800"):
            with pytest.raises(refusals):
                async with postgres.snapshot(name, lambda: None) as snapshot:
                    await snapshot.all(query)
            async with postgres.snapshot("nobody", lambda: None) as snapshot:
                assert nothing == orjson.dumps([dict(row) for row in await snapshot.all(query)]).decode()


async def test_a_login_without_any_tenant_sees_nothing(both: Crm, login: Connection) -> None:
    query = await all_rows(both)
    for role in ("mcp_reader", "mcp_writer"):
        for setting in ("", "set local mcp.tenant_id = ''", "set local mcp.tenant_id to default", "reset all"):
            async with login.transaction():
                await login.execute(f"set local role {role}; {setting}")
                assert await login.fetch(query.text) == [], (role, setting)
