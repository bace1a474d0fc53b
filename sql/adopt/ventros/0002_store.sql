-- What the server keeps itself: settings, decisions on leads, owners of contacts, remembered answers,
-- and the audit trail.
--
-- Reached only through the views of the schema mcp. One row of a history is current:
-- the one that nothing has superseded.

create table mcp_store.tenant_settings (
    tenant_id  text not null check (tenant_id <> ''),
    key        text not null,
    value      jsonb not null,
    updated_at timestamptz not null default now(),
    primary key (tenant_id, key)
);

create table mcp_store.qualifications (
    id              uuid primary key default gen_random_uuid(),
    tenant_id       text not null check (tenant_id <> ''),
    contact_id      uuid not null,
    status          text not null check (status in ('qualified', 'unqualified')),
    reason          text,
    budget          smallint check (budget between 0 and 10),
    authority       smallint check (authority between 0 and 10),
    need            smallint check (need between 0 and 10),
    timeline        smallint check (timeline between 0 and 10),
    score           numeric(4, 2) check (score between 0 and 10),
    weights_version text,
    decided_by      text,
    decided_at      timestamptz not null default now(),
    superseded_at   timestamptz
);
create unique index qualifications_current_idx
    on mcp_store.qualifications (contact_id, tenant_id) include (status, decided_at)
 where superseded_at is null;
create index qualifications_decided_idx
    on mcp_store.qualifications (tenant_id, decided_at) include (status, contact_id)
 where superseded_at is null;

create table mcp_store.assignments (
    id            uuid primary key default gen_random_uuid(),
    tenant_id     text not null check (tenant_id <> ''),
    contact_id    uuid not null,
    agent_id      uuid not null,
    priority      text check (priority in ('low', 'medium', 'high')),
    notes         text,
    assigned_by   text,
    assigned_at   timestamptz not null default now(),
    superseded_at timestamptz
);
create unique index assignments_current_idx
    on mcp_store.assignments (contact_id, tenant_id) include (agent_id)
 where superseded_at is null;
create index assignments_agent_idx
    on mcp_store.assignments (tenant_id, agent_id)
 where superseded_at is null;

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
