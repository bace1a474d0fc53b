-- What tools that write need: the writable views, remembered answers, and the audit trail.
--
-- Lock order of every write, so that writers queue and never deadlock: the idempotency key, the
-- contact, what hangs on it, and last the head of the tenant's audit chain.

create table mcp_store.idempotency_keys (
    tenant_id    text not null check (tenant_id <> ''),
    user_id      text not null,
    tool         text not null,
    key          text not null check (key <> '' and char_length(key) <= 255),
    payload_hash bytea not null,
    answer       jsonb,
    created_at   timestamptz not null default now(),
    primary key (tenant_id, user_id, tool, key)
);
comment on table mcp_store.idempotency_keys is 'The first answer to a key, kept for at least 24 hours.';
create index idempotency_keys_created_idx on mcp_store.idempotency_keys (tenant_id, created_at);

create table mcp_store.audit_log (
    tenant_id     text not null check (tenant_id <> ''),
    number        bigint not null check (number > 0),
    id            uuid not null default gen_random_uuid(),
    entry         jsonb not null,
    previous_hash bytea not null,
    hash          bytea not null,
    primary key (tenant_id, number)
);
comment on table mcp_store.audit_log is
    'Who did what, one chain a tenant: hash = sha256(previous_hash || tenant || number || id || entry as text).';

-- Numbers an entry and chains it to the one before. The lock is the last that a write takes, and
-- is held until it commits, so numbers have no gaps and the order is that of the commits.
create function mcp_store.chain_audit_entry() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    head record;
begin
    perform pg_advisory_xact_lock(hashtextextended('mcp audit ' || new.tenant_id, 0));
    select a.number, a.hash into head
      from mcp_store.audit_log a
     where a.tenant_id = new.tenant_id
     order by a.number desc
     limit 1;
    new.number := coalesce(head.number, 0) + 1;
    new.previous_hash := coalesce(head.hash, '\x');
    new.id := gen_random_uuid();
    new.entry := new.entry || jsonb_build_object('at', to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'));
    new.hash := sha256(new.previous_hash || convert_to(
        concat_ws(E'\n', new.tenant_id, new.number, new.id, new.entry::text), 'UTF8'));
    return new;
end
$$;
revoke all on function mcp_store.chain_audit_entry() from public;
create trigger chain_audit_entry before insert on mcp_store.audit_log
    for each row execute function mcp_store.chain_audit_entry();

-- Nobody corrects the past, the owner of the views included.
create function mcp_store.refuse_change() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    raise exception 'the audit trail is append-only';
end
$$;
create trigger audit_log_is_append_only before update or delete or truncate on mcp_store.audit_log
    for each statement execute function mcp_store.refuse_change();

grant select, insert, update, delete on mcp_store.idempotency_keys to mcp_owner;
grant select, insert on mcp_store.audit_log to mcp_owner;
grant update (version, updated_at) on public.contacts to mcp_owner;
grant insert, update on public.contact_pipeline_statuses, public.agent_sessions, public.contact_custom_fields to mcp_owner;
grant select on public.contact_custom_fields, public.outbox_events to mcp_owner;
grant insert on public.contact_events, public.outbox_events to mcp_owner;
grant update (agent_ids, agent_transfers, version, updated_at) on public.sessions to mcp_owner;

set local role mcp_owner;

create view mcp.idempotency_keys with (security_barrier) as
select k.tenant_id,
       k.user_id,
       k.tool,
       k.key,
       k.payload_hash,
       k.answer,
       k.created_at
  from mcp_store.idempotency_keys k
 where k.tenant_id = nullif(current_setting('mcp.tenant_id', true), '')
  with cascaded check option;
alter view mcp.idempotency_keys alter column tenant_id set default nullif(current_setting('mcp.tenant_id', true), '');

create view mcp.audit_log with (security_barrier) as
select a.tenant_id,
       a.number,
       a.id,
       a.entry,
       a.previous_hash,
       a.hash
  from mcp_store.audit_log a
 where a.tenant_id = nullif(current_setting('mcp.tenant_id', true), '')
  with cascaded check option;
alter view mcp.audit_log alter column tenant_id set default nullif(current_setting('mcp.tenant_id', true), '');

-- The assignment history of conversations. It has no tenant of its own: the conversation has.
create view mcp.agent_sessions with (security_barrier) as
select a.id,
       a.agent_id,
       a.session_id,
       a.role_in_session,
       a.joined_at,
       a.left_at,
       a.is_active,
       a.created_at,
       a.updated_at
  from public.agent_sessions a
 where a.deleted_at is null
   and exists (select from public.sessions s
                where s.id = a.session_id
                  and s.tenant_id = nullif(current_setting('mcp.tenant_id', true), ''))
  with cascaded check option;

create view mcp.custom_fields with (security_barrier) as
select f.tenant_id,
       f.id,
       f.contact_id,
       f.field_key,
       f.field_type,
       f.field_value,
       f.created_at,
       f.updated_at,
       f.deleted_at
  from public.contact_custom_fields f
 where f.tenant_id = nullif(current_setting('mcp.tenant_id', true), '')
  with cascaded check option;
alter view mcp.custom_fields alter column tenant_id set default nullif(current_setting('mcp.tenant_id', true), '');

-- What the CRM's own consumers are told; a trigger of theirs announces each row.
create view mcp.outbox with (security_barrier) as
select o.tenant_id,
       o.id,
       o.event_id,
       o.aggregate_id,
       o.aggregate_type,
       o.event_type,
       o.event_data,
       o.metadata,
       o.project_id,
       o.created_at
  from public.outbox_events o
 where o.tenant_id = nullif(current_setting('mcp.tenant_id', true), '')
  with cascaded check option;
alter view mcp.outbox alter column tenant_id set default nullif(current_setting('mcp.tenant_id', true), ''),
                      alter column event_id set default gen_random_uuid();

grant select on mcp.audit_log to mcp_reader;
grant select on all tables in schema mcp to mcp_writer;
-- Never tenant_id nor id, as in the file before.
grant insert (user_id, tool, key, payload_hash), update (answer), delete on mcp.idempotency_keys to mcp_writer;
grant insert (entry) on mcp.audit_log to mcp_writer;
grant insert (contact_id, session_id, event_type, category, priority, source, title, description, payload,
              integration_source, occurred_at, created_at)
   on mcp.timeline to mcp_writer;
grant insert (aggregate_id, aggregate_type, event_type, event_data, project_id, created_at)
   on mcp.outbox to mcp_writer;
grant insert (contact_id, pipeline_id, stage_id, entered_at, notes, metadata, created_at, updated_at),
      update (exited_at, duration_seconds, updated_at)
   on mcp.stage_history to mcp_writer;
grant insert (session_id, agent_id, role_in_session, joined_at, is_active, created_at, updated_at),
      update (left_at, is_active, updated_at)
   on mcp.agent_sessions to mcp_writer;
grant insert (contact_id, field_key, field_type, field_value, created_at, updated_at),
      update (field_type, field_value, updated_at, deleted_at)
   on mcp.custom_fields to mcp_writer;
grant update (version, updated_at) on mcp.contacts to mcp_writer;
grant update (agent_ids, agent_transfers, version, updated_at) on mcp.sessions to mcp_writer;

reset role;
