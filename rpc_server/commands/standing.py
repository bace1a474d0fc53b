"""What the server's login may do, looked at before it serves: enough, and no more."""

import asyncpg

from rpc_server.commands.failure import CommandFailed

_QUESTION = """
select current_user as login,
       r.rolsuper or r.rolbypassrls as sees_everything,
       r.rolcreaterole or r.rolcreatedb as makes_things,
       to_regnamespace('mcp') is null as not_migrated,
       (select count(*) = 2
          from pg_roles m
         where m.rolname in ('mcp_reader', 'mcp_writer')
           and pg_has_role(current_user, m.oid, 'member')) as takes_its_roles,
       (select count(*) > 0
          from pg_class c
          join pg_namespace n on n.oid = c.relnamespace
         where n.nspname in ('public', 'mcp', 'mcp_store')
           and c.relkind in ('r', 'v', 'p')
           and has_table_privilege(c.oid, 'select')) as reads_by_itself,
       (select count(*) > 0
          from pg_roles o
          join pg_class c on c.relnamespace = 'public'::regnamespace
         where o.rolname = 'mcp_owner'
           and c.relkind in ('r', 'p')
           and c.relrowsecurity
           and has_table_privilege(o.oid, c.oid, 'select')
           and not (o.rolsuper or o.rolbypassrls)
           and (c.relforcerowsecurity or not pg_has_role(o.oid, c.relowner, 'usage'))) as rows_are_hidden
  from pg_roles r
 where r.rolname = current_user
"""


async def warnings_about_login(url: str) -> list[str]:
    """Return what an operator should know of the login in *url*; raises CommandFailed where it cannot serve.

    A PostgreSQL that does not answer now is only warned of: the server waits for it and heals by itself.
    """
    try:
        # Nothing prepared: behind a pooler the next statement may meet another backend.
        connection = await asyncpg.connect(url, timeout=5, statement_cache_size=0)
    except (OSError, TimeoutError, asyncpg.CannotConnectNowError) as error:
        return [f"PostgreSQL cannot be reached yet ({str(error) or 'no answer'}); calls are refused until it can."]
    try:
        found = await connection.fetchrow(_QUESTION)
    finally:
        await connection.close()
    assert found is not None
    if found["not_migrated"] or not found["takes_its_roles"]:
        raise CommandFailed(
            f"The database is not ready for the login {found['login']}. With DATABASE_OWNER_URL and DATABASE_URL set, "
            "run: python -m rpc_server migrate."
        )
    if found["rows_are_hidden"]:
        raise CommandFailed(
            "Row-level security hides the CRM's rows from mcp_owner, who owns the views, so every figure would be 0. "
            'Let a superuser run "alter role mcp_owner bypassrls".'
        )
    if found["sees_everything"] or found["makes_things"] or found["reads_by_itself"]:
        return [
            f"The login {found['login']} may do more than take the server's two roles. Tenants are kept apart all the "
            "same, but a login of its own is safer: create role crm_mcp login password '…'; then migrate with it in "
            "DATABASE_URL."
        ]
    return []
