-- Three roles: the owner of the views, and the two that the server may take.
--
-- mcp_owner   owns the views, and has of each base table only what they need.
-- mcp_reader  may select from the views.
-- mcp_writer  may also write through those that are writable.
-- None of them can log in; the server's login has no right but to take the last two.
-- Roles belong to the whole cluster, so another database may have made them already,
-- or be making them at this very moment.
do $$
declare
    wanted text;
begin
    foreach wanted in array array['mcp_owner', 'mcp_reader', 'mcp_writer'] loop
        begin
            if not exists (select from pg_roles where rolname = wanted) then
                execute format('create role %I nologin noinherit', wanted);
            end if;
        exception when duplicate_object or unique_violation then
            null;
        end;
    end loop;
    -- Who migrates must be able to act for the owner; a superuser already is.
    if not (select rolsuper from pg_roles where rolname = current_user)
       and not pg_has_role(current_user, 'mcp_owner', 'member') then
        execute format('grant mcp_owner to %I', current_user);
    end if;
end
$$;

-- On PostgreSQL 14 everybody may create in the schema public; everywhere, temporary tables.
revoke create on schema public from public;
do $$ begin execute format('revoke temporary on database %I from public', current_database()); end $$;

create schema if not exists mcp;
revoke all on schema mcp from public;
grant usage, create on schema mcp to mcp_owner;
grant usage on schema mcp to mcp_reader, mcp_writer;

revoke all on schema mcp_store from public;
grant usage on schema mcp_store, public to mcp_owner;

grant select on
    public.contacts, public.pipelines, public.pipeline_statuses, public.contact_pipeline_statuses,
    public.agents, public.sessions, public.agent_sessions, public.messages, public.session_ratings,
    public.contact_events
 to mcp_owner;
grant select, insert, update on
    mcp_store.qualifications, mcp_store.assignments
 to mcp_owner;
grant select on mcp_store.tenant_settings to mcp_owner;
