-- What the server keeps itself: settings, decisions on leads, owners of contacts.
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
