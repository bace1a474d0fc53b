"""All that is in a database and not ours: what it is made of, who may do what with it, and its rows."""

from tests.tenancy.access import Connection

_OURS = "with ours as (select oid from pg_namespace where nspname in ('mcp', 'mcp_store', 'pg_toast'))"
# PostgreSQL's own things have the smaller numbers.
_THINGS = """
select concat_ws(' ', 'column', c.oid::regclass, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                 a.attstorage, a.attidentity, pg_get_expr(d.adbin, d.adrelid)) as thing
  from pg_class c
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
  left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
 where c.relnamespace not in (select oid from ours) and c.oid >= 16384
 union all
select concat_ws(' ', 'relation', c.oid::regclass, c.relkind, c.relowner::regrole, c.relrowsecurity,
                 c.relforcerowsecurity, c.reloptions)
  from pg_class c
 where c.relnamespace not in (select oid from ours) and c.oid >= 16384
 union all
select concat_ws(' ', 'index', pg_get_indexdef(i.indexrelid), i.indisvalid)
  from pg_index i
  join pg_class c on c.oid = i.indrelid
 where c.relnamespace not in (select oid from ours) and c.oid >= 16384
 union all
select concat_ws(' ', 'constraint', o.conrelid::regclass, o.conname, pg_get_constraintdef(o.oid))
  from pg_constraint o
 where o.connamespace not in (select oid from ours) and o.oid >= 16384
 union all
select concat_ws(' ', 'trigger', pg_get_triggerdef(t.oid), t.tgenabled)
  from pg_trigger t
  join pg_class c on c.oid = t.tgrelid
 where c.relnamespace not in (select oid from ours) and not t.tgisinternal
 union all
select concat_ws(' ', 'policy', p.polrelid::regclass, p.polname, p.polcmd, p.polroles,
                 pg_get_expr(p.polqual, p.polrelid))
  from pg_policy p
 union all
select concat_ws(' ', 'function', p.oid::regprocedure, p.proowner::regrole, p.proacl, md5(p.prosrc))
  from pg_proc p
 where p.pronamespace not in (select oid from ours) and p.oid >= 16384
 union all
select concat_ws(' ', 'schema', n.nspname, n.nspowner::regrole, n.nspacl)
  from pg_namespace n
 where n.oid not in (select oid from ours) and n.nspname !~ '^pg_temp'
 union all
select concat_ws(' ', 'database', d.datdba::regrole, d.datacl, s.setconfig)
  from pg_database d
  left join pg_db_role_setting s on s.setdatabase = d.oid
 where d.datname = current_database()
"""
_RIGHTS = """
select concat_ws(' ', c.oid::regclass, p.grantee::regrole, p.privilege_type) as thing
  from pg_class c
 cross join lateral aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) p
 where c.relnamespace not in (select oid from ours) and c.oid >= 16384 and c.relkind = 'r'
 union all
select concat_ws(' ', c.oid::regclass || '.' || a.attname, p.grantee::regrole, p.privilege_type)
  from pg_class c
  join pg_attribute a on a.attrelid = c.oid
 cross join lateral aclexplode(a.attacl) p
 where c.relnamespace not in (select oid from ours) and c.oid >= 16384
"""


async def things(connection: Connection) -> set[str]:
    """Return everything but rights on tables, a line each."""
    return {row["thing"] for row in await connection.fetch(f"{_OURS} {_THINGS}")}


async def rights(connection: Connection) -> set[str]:
    """Return the rights on tables and columns, a line each: where, whose, which."""
    return {row["thing"] for row in await connection.fetch(f"{_OURS} {_RIGHTS}")}


async def rows(connection: Connection) -> dict[str, str]:
    """Return a checksum of the rows of each table."""
    tables = await connection.fetch(
        "select oid::regclass::text as name from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'"
    )
    return {
        name: await connection.fetchval(f"select md5(string_agg(t::text, '|' order by t::text)) from {name} t")
        for (name,) in tables
    }
