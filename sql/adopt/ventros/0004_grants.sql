-- What the roles may do, and whether the views' owner sees the rows.

create schema if not exists mcp;
revoke all on schema mcp from public;
grant usage, create on schema mcp to mcp_owner;
grant usage on schema mcp to mcp_reader, mcp_writer;

revoke all on schema mcp_store from public;
grant usage on schema mcp_store to mcp_owner;
do $$
begin
    -- Everybody may enter the schema public, unless somebody took that away.
    if not has_schema_privilege('mcp_owner', 'public', 'usage') then
        grant usage on schema public to mcp_owner;
    end if;
end
$$;

grant select on
    public.contacts, public.pipelines, public.pipeline_statuses, public.contact_pipeline_statuses,
    public.agents, public.sessions, public.agent_sessions, public.messages, public.contact_events,
    public.outbox_events
 to mcp_owner;
-- Exactly the columns that are written; docs/adopting-ventros.md lists them, and a test holds it to that.
grant update (version, updated_at)
   on public.contacts to mcp_owner;
grant insert (contact_id, pipeline_id, status_id, tenant_id, entered_at, notes, metadata, created_at, updated_at),
      update (exited_at, duration, updated_at)
   on public.contact_pipeline_statuses to mcp_owner;
grant update (agent_ids, agent_transfers, version, updated_at)
   on public.sessions to mcp_owner;
grant insert (session_id, agent_id, role_in_session, joined_at, is_active, created_at, updated_at),
      update (left_at, is_active, updated_at)
   on public.agent_sessions to mcp_owner;
grant insert (contact_id, session_id, tenant_id, event_type, category, priority, source, title, description, payload,
              integration_source, visible_to_client, occurred_at, created_at)
   on public.contact_events to mcp_owner;
grant insert (event_id, tenant_id, aggregate_id, aggregate_type, event_type, event_data, project_id, created_at)
   on public.outbox_events to mcp_owner;
do $$
begin
    if mcp_store.has_custom_fields() then
        grant select,
              insert (contact_id, tenant_id, field_key, field_type, field_value, created_at, updated_at),
              update (field_type, field_value, updated_at, deleted_at)
           on public.contact_custom_fields to mcp_owner;
    end if;
end
$$;
grant select, insert, update on
    mcp_store.qualifications, mcp_store.assignments
 to mcp_owner;
grant select on mcp_store.tenant_settings to mcp_owner;
grant select, insert, update, delete on mcp_store.idempotency_keys to mcp_owner;
grant select, insert on mcp_store.audit_log to mcp_owner;

-- Goes no further unless the owner really sees what is in the tables: a view that shows nothing looks
-- like a quiet day. The CRM may switch row-level security on later, so its being off proves nothing.
do $$
declare
    name text;
    there bigint;
    seen bigint;
    blind text;
    advice constant text := 'Let a superuser run "alter role mcp_owner bypassrls", then migrate again';
begin
    for name in
        select format('public.%I', c.relname)
          from pg_class c
         where c.relnamespace = 'public'::regnamespace
           and c.relkind in ('r', 'p')
           and c.relrowsecurity
           and has_table_privilege('mcp_owner', c.oid, 'select')
         order by c.relname
    loop
        execute 'select count(*) from ' || name into there;
        set local role mcp_owner;
        execute 'select count(*) from ' || name into seen;
        reset role;
        if seen < there then
            raise exception 'the views'' owner mcp_owner sees % of the % rows of % because of row-level security. %',
                seen, there, name, advice;
        end if;
    end loop;
    select string_agg(format('public.%I', c.relname), ', ' order by c.relname) into blind
      from pg_class c
      join pg_roles owner on owner.rolname = 'mcp_owner'
     where c.relnamespace = 'public'::regnamespace
       and c.relkind in ('r', 'p')
       and has_table_privilege(owner.oid, c.oid, 'select')
       and not (owner.rolsuper or owner.rolbypassrls)
       and (c.relforcerowsecurity or not pg_has_role(owner.oid, c.relowner, 'usage'));
    if blind is not null then
        raise exception 'row-level security would hide rows of % from the views'' owner mcp_owner. %', blind, advice;
    end if;
end
$$;
