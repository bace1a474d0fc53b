-- A Ventros CRM database, as far as this server meets it: types, defaults, indexes, policies and triggers
-- are those of the CRM. It has no ratings; created_at and updated_at have no defaults, the CRM's code sets
-- them; row-level security is enabled, not forced, and lets only the role app_user see rows, by user.
--
-- Run by whoever owns the CRM's tables. The role app_user is there already.

create schema crm;
create schema shared;
-- The CRM's own schema comes before public in its database's search_path, and is not ours to look into.
create table crm.contacts (id uuid primary key default gen_random_uuid(), shoe_size integer);

create table public.users (
    id            uuid primary key default gen_random_uuid(),
    name          text not null,
    email         text not null,
    password_hash text not null,
    status        text default 'active',
    role          text default 'user',
    settings      jsonb,
    created_at    timestamptz,
    updated_at    timestamptz,
    deleted_at    timestamptz,
    constraint chk_users_role check (role in ('admin', 'user', 'manager', 'readonly'))
);
create unique index idx_users_email on public.users (email);

create table public.billing_accounts (
    id             uuid primary key default gen_random_uuid(),
    user_id        uuid not null references public.users on delete cascade,
    name           text not null,
    payment_status text not null default 'pending',
    billing_email  text not null,
    suspended      boolean default false,
    created_at     timestamptz,
    updated_at     timestamptz,
    deleted_at     timestamptz
);

create table public.projects (
    id                      uuid primary key default gen_random_uuid(),
    version                 integer not null default 1,
    user_id                 uuid not null references public.users,
    billing_account_id      uuid not null references public.billing_accounts,
    tenant_id               text not null,
    name                    text not null,
    description             text,
    configuration           jsonb,
    active                  boolean default true,
    session_timeout_minutes bigint not null default 30,
    created_at              timestamptz,
    updated_at              timestamptz,
    deleted_at              timestamptz
);
create unique index idx_projects_tenant_unique on public.projects (tenant_id);
create index idx_projects_user on public.projects (user_id);

create table public.pipelines (
    id                      uuid primary key default gen_random_uuid(),
    version                 integer not null default 1,
    project_id              uuid not null references public.projects,
    tenant_id               text not null,
    name                    text not null,
    description             text,
    color                   text,
    position                bigint default 0,
    active                  boolean default true,
    session_timeout_minutes bigint,
    enable_ai_summary       boolean default false,
    a_iprovider             text,
    ai_model                text,
    created_at              timestamptz,
    updated_at              timestamptz,
    deleted_at              timestamptz
);
create index idx_pipelines_project on public.pipelines (project_id);
create index idx_pipelines_tenant_active on public.pipelines (tenant_id, active);
create index idx_pipelines_tenant_name on public.pipelines (tenant_id, name);

create table public.pipeline_statuses (
    id          uuid primary key default gen_random_uuid(),
    version     integer not null default 1,
    pipeline_id uuid not null references public.pipelines,
    name        text not null,
    description text,
    color       text,
    status_type text not null,
    position    bigint default 0,
    active      boolean default true,
    created_at  timestamptz,
    updated_at  timestamptz,
    deleted_at  timestamptz
);
create index idx_pipeline_statuses_pipeline_id on public.pipeline_statuses (pipeline_id);
create index idx_pipeline_statuses_status_type on public.pipeline_statuses (status_type);

create table public.channels (
    id                  uuid primary key default gen_random_uuid(),
    user_id             uuid not null references public.users on delete cascade,
    project_id          uuid not null references public.projects on delete cascade,
    tenant_id           text not null,
    name                text not null,
    type                text not null,
    status              text default 'inactive',
    external_id         text,
    config              jsonb,
    webhook_id          text,
    webhook_url         text,
    pipeline_id         uuid references public.pipelines on delete set null,
    ai_enabled          boolean default false,
    allow_groups        boolean default false,
    debounce_timeout_ms bigint not null default 15000,
    messages_received   bigint default 0,
    messages_sent       bigint default 0,
    created_at          timestamptz,
    updated_at          timestamptz,
    deleted_at          timestamptz
);
create unique index idx_channels_webhook_id_unique on public.channels (webhook_id);
create index idx_channels_tenant_type on public.channels (tenant_id, type);

create table public.contacts (
    id                         uuid primary key default gen_random_uuid(),
    version                    integer not null default 1,
    project_id                 uuid not null references public.projects,
    tenant_id                  text not null,
    name                       text,
    email                      text,
    phone                      text,
    external_id                text,
    source_channel             text,
    language                   text default 'en',
    timezone                   text,
    tags                       jsonb,
    profile_picture_url        text,
    profile_picture_fetched_at timestamptz,
    first_interaction_at       timestamptz,
    last_interaction_at        timestamptz,
    created_at                 timestamptz,
    updated_at                 timestamptz,
    deleted_at                 timestamptz
);
create index idx_contacts_tenant_created on public.contacts (tenant_id, created_at);
create index idx_contacts_tenant_deleted on public.contacts (tenant_id, deleted_at);
create index idx_contacts_tenant_name on public.contacts (tenant_id, name);
create index idx_contacts_project_id on public.contacts (project_id);
create index idx_contacts_phone on public.contacts (phone);
create index idx_contacts_email on public.contacts (email);
create index idx_contacts_tags on public.contacts using gin (tags);

-- Where the CRM's SQL migrations alone were run, this table is not there at all.
create table public.contact_custom_fields (
    id          uuid primary key default gen_random_uuid(),
    contact_id  uuid not null references public.contacts,
    tenant_id   text not null,
    field_key   text not null,
    field_type  text not null,
    field_value jsonb,
    created_at  timestamptz,
    updated_at  timestamptz,
    deleted_at  timestamptz,
    constraint uq_contact_custom_fields_contact_key unique (contact_id, field_key)
);
create index idx_contact_custom_fields_tenant_id on public.contact_custom_fields (tenant_id);
create index idx_contact_custom_fields_field_key on public.contact_custom_fields (field_key);

create table public.contact_pipeline_statuses (
    id          uuid primary key default gen_random_uuid(),
    contact_id  uuid not null references public.contacts,
    pipeline_id uuid not null references public.pipelines,
    status_id   uuid not null references public.pipeline_statuses,
    tenant_id   text not null,
    entered_at  timestamptz not null,
    exited_at   timestamptz,
    duration    bigint,
    notes       text,
    metadata    jsonb,
    created_at  timestamptz,
    updated_at  timestamptz,
    deleted_at  timestamptz
);
create index idx_contact_pipeline_statuses_contact_id on public.contact_pipeline_statuses (contact_id);
create index idx_contact_pipeline_statuses_pipeline_id on public.contact_pipeline_statuses (pipeline_id);
create index idx_contact_pipeline_statuses_status_id on public.contact_pipeline_statuses (status_id);
create index idx_contact_pipeline_statuses_tenant_id on public.contact_pipeline_statuses (tenant_id);
create index idx_contact_pipeline_statuses_deleted_at on public.contact_pipeline_statuses (deleted_at);

create table public.agents (
    id                  uuid primary key default gen_random_uuid(),
    version             integer not null default 1,
    project_id          uuid not null references public.projects,
    user_id             uuid references public.users,
    tenant_id           text not null,
    name                text not null,
    email               text,
    type                text not null default 'human',
    status              text not null default 'offline',
    active              boolean default true,
    config              jsonb,
    virtual_metadata    jsonb,
    sessions_handled    bigint default 0,
    average_response_ms bigint default 0,
    last_activity_at    timestamptz,
    created_at          timestamptz,
    updated_at          timestamptz,
    deleted_at          timestamptz
);
create index idx_agents_tenant_type on public.agents (tenant_id, type);
create index idx_agents_tenant_active on public.agents (tenant_id, active);
create index idx_agents_user on public.agents (user_id);
create index idx_agents_config on public.agents using gin (config);

create table public.sessions (
    id                          uuid primary key default gen_random_uuid(),
    version                     integer not null default 1,
    contact_id                  uuid not null references public.contacts,
    tenant_id                   text not null,
    channel_type_id             bigint,
    pipeline_id                 uuid,
    started_at                  timestamptz not null,
    ended_at                    timestamptz,
    status                      text default 'active',
    end_reason                  text,
    timeout_duration            bigint default 1800000000000,
    last_activity_at            timestamptz not null,
    message_count               bigint default 0,
    messages_from_contact       bigint default 0,
    messages_from_agent         bigint default 0,
    duration_seconds            bigint default 0,
    first_contact_message_at    timestamptz,
    first_agent_response_at     timestamptz,
    agent_response_time_seconds bigint,
    contact_wait_time_seconds   bigint,
    agent_ids                   jsonb,
    agent_transfers             bigint default 0,
    summary                     text,
    sentiment                   text,
    sentiment_score             numeric,
    topics                      jsonb,
    next_steps                  jsonb,
    key_entities                jsonb,
    resolved                    boolean default false,
    escalated                   boolean default false,
    converted                   boolean default false,
    outcome_tags                jsonb,
    created_at                  timestamptz,
    updated_at                  timestamptz,
    deleted_at                  timestamptz
);
create index idx_sessions_contact on public.sessions (contact_id);
create index idx_sessions_tenant_contact on public.sessions (tenant_id, contact_id);
create index idx_sessions_tenant_started on public.sessions (tenant_id, started_at);
create index idx_sessions_tenant_status on public.sessions (tenant_id, status);
create index idx_sessions_ended on public.sessions (ended_at);
create index idx_sessions_agent_ids on public.sessions using gin (agent_ids);

create table public.agent_sessions (
    id              uuid primary key default gen_random_uuid(),
    agent_id        uuid not null references public.agents,
    session_id      uuid not null references public.sessions,
    role_in_session text,
    joined_at       timestamptz not null,
    left_at         timestamptz,
    is_active       boolean default true,
    metadata        jsonb,
    created_at      timestamptz,
    updated_at      timestamptz,
    deleted_at      timestamptz
);
create index idx_agent_sessions_agent_id on public.agent_sessions (agent_id);
create index idx_agent_sessions_session_id on public.agent_sessions (session_id);

create table public.messages (
    id                 uuid primary key default gen_random_uuid(),
    tenant_id          text not null,
    "timestamp"        timestamptz not null,
    user_id            uuid not null,
    project_id         uuid not null references public.projects,
    channel_type_id    bigint,
    from_me            boolean default false,
    channel_id         uuid not null references public.channels on delete restrict,
    chat_id            uuid,
    contact_id         uuid not null references public.contacts,
    session_id         uuid references public.sessions,
    content_type       text not null default 'text',
    text               text,
    media_url          text,
    media_mimetype     text,
    channel_message_id text,
    reply_to_id        uuid,
    status             text default 'sent',
    language           text,
    agent_id           uuid,
    metadata           jsonb,
    mentions           text[],
    delivered_at       timestamptz,
    read_at            timestamptz,
    played_at          timestamptz,
    source             varchar(20) not null default 'manual',
    created_at         timestamptz,
    updated_at         timestamptz,
    deleted_at         timestamptz,
    constraint chk_messages_source check (source in (
        'manual', 'broadcast', 'sequence', 'trigger', 'bot', 'system',
        'webhook', 'scheduled', 'test', 'history_import'))
);
create index idx_messages_session on public.messages (session_id);
create index idx_messages_agent on public.messages (agent_id);
create index idx_messages_agent_source on public.messages (agent_id, source);
create index idx_messages_tenant_timestamp on public.messages (tenant_id, "timestamp");
create index idx_messages_tenant_session on public.messages (tenant_id, session_id);
create index idx_messages_tenant_contact on public.messages (tenant_id, contact_id);
create unique index idx_messages_channel_message on public.messages (channel_id, channel_message_id)
 where channel_message_id is not null and deleted_at is null;

create table public.contact_events (
    id                 uuid primary key default gen_random_uuid(),
    contact_id         uuid not null references public.contacts,
    session_id         uuid references public.sessions,
    tenant_id          text not null,
    event_type         text not null,
    category           text not null,
    priority           text not null,
    title              text,
    description        text,
    payload            jsonb,
    metadata           jsonb,
    source             text not null,
    triggered_by       uuid,
    integration_source text,
    is_realtime        boolean default true,
    delivered          boolean default false,
    delivered_at       timestamptz,
    read               boolean default false,
    read_at            timestamptz,
    visible_to_client  boolean default true,
    visible_to_agent   boolean default true,
    expires_at         timestamptz,
    occurred_at        timestamptz not null,
    created_at         timestamptz,
    deleted_at         timestamptz
);
create index idx_contact_events_contact_id on public.contact_events (contact_id);
create index idx_contact_events_tenant_id on public.contact_events (tenant_id);
create index idx_contact_events_occurred_at on public.contact_events (occurred_at);

create table public.notes (
    id                uuid primary key default gen_random_uuid(),
    contact_id        uuid not null references public.contacts,
    session_id        uuid references public.sessions,
    tenant_id         text not null,
    author_id         uuid not null,
    author_type       text not null,
    author_name       text not null,
    content           text not null,
    note_type         text not null,
    priority          text not null default 'normal',
    visible_to_client boolean default false,
    pinned            boolean default false,
    tags              text[],
    mentions          jsonb,
    attachments       text[],
    created_at        timestamptz,
    updated_at        timestamptz,
    deleted_at        timestamptz
);

create table public.outbox_events (
    id             uuid primary key default gen_random_uuid(),
    event_id       uuid not null,
    aggregate_id   uuid not null,
    aggregate_type varchar(100) not null,
    event_type     varchar(100) not null,
    event_version  varchar(20) not null default 'v1',
    event_data     jsonb not null,
    metadata       jsonb,
    tenant_id      varchar(100),
    project_id     uuid,
    created_at     timestamptz not null default now(),
    processed_at   timestamptz,
    status         varchar(20) not null default 'pending',
    retry_count    bigint not null default 0,
    last_error     text,
    last_retry_at  timestamptz,
    deleted_at     timestamptz
);
create unique index idx_outbox_events_event_id on public.outbox_events (event_id);
create index idx_outbox_status_created on public.outbox_events (processed_at, status);

create function public.notify_outbox_event() returns trigger
language plpgsql as $$
begin
    perform pg_notify('outbox_events', new.id::text);
    return new;
end
$$;
create trigger trigger_notify_outbox_event after insert on public.outbox_events
    for each row when (new.status = 'pending') execute function public.notify_outbox_event();

create table public.project_members (
    id         uuid primary key default gen_random_uuid(),
    version    integer not null default 1,
    project_id uuid not null references public.projects,
    agent_id   varchar(255) not null,
    role       text not null check (role in ('admin', 'supervisor', 'agent', 'viewer')),
    created_at timestamptz,
    updated_at timestamptz,
    unique (project_id, agent_id)
);

-- What the CRM's API does each time it starts.
alter table public.projects enable row level security;
alter table public.pipelines enable row level security;
alter table public.pipeline_statuses enable row level security;
alter table public.contacts enable row level security;
alter table public.contact_pipeline_statuses enable row level security;
alter table public.messages enable row level security;
alter table public.sessions enable row level security;
alter table public.channels enable row level security;

create policy user_projects_policy on public.projects for all to app_user
    using (user_id = current_setting('app.current_user_id', true)::uuid);
create policy user_channels_policy on public.channels for all to app_user
    using (user_id = current_setting('app.current_user_id', true)::uuid);
create policy user_pipelines_policy on public.pipelines for all to app_user
    using (project_id in (select id from public.projects
                           where user_id = current_setting('app.current_user_id', true)::uuid));
create policy user_contacts_policy on public.contacts for all to app_user
    using (project_id in (select id from public.projects
                           where user_id = current_setting('app.current_user_id', true)::uuid));
create policy user_pipeline_statuses_policy on public.pipeline_statuses for all to app_user
    using (pipeline_id in (select l.id from public.pipelines l join public.projects p on p.id = l.project_id
                            where p.user_id = current_setting('app.current_user_id', true)::uuid));
create policy user_contact_pipeline_statuses_policy on public.contact_pipeline_statuses for all to app_user
    using (contact_id in (select c.id from public.contacts c join public.projects p on p.id = c.project_id
                           where p.user_id = current_setting('app.current_user_id', true)::uuid));
create policy user_messages_policy on public.messages for all to app_user
    using (contact_id in (select c.id from public.contacts c join public.projects p on p.id = c.project_id
                           where p.user_id = current_setting('app.current_user_id', true)::uuid));
create policy user_sessions_policy on public.sessions for all to app_user
    using (contact_id in (select c.id from public.contacts c join public.projects p on p.id = c.project_id
                           where p.user_id = current_setting('app.current_user_id', true)::uuid));

grant select, insert, update, delete on all tables in schema public to app_user;

-- A first company, and in it, because its project is the oldest, the CRM's own agents.
insert into public.users (id, name, email, password_hash, role, created_at, updated_at)
values ('1d98bbd3-0000-4000-8000-000000000001', 'Dona Aurora', 'aurora@example.com', 'x', 'admin', now(), now());
insert into public.billing_accounts (id, user_id, name, billing_email, created_at, updated_at)
values ('1d98bbd3-0000-4000-8000-000000000002', '1d98bbd3-0000-4000-8000-000000000001', 'Aurora',
        'aurora@example.com', now(), now());
insert into public.projects (id, user_id, billing_account_id, tenant_id, name, created_at, updated_at)
values ('1d98bbd3-0000-4000-8000-000000000003', '1d98bbd3-0000-4000-8000-000000000001',
        '1d98bbd3-0000-4000-8000-000000000002', 'user-1d98bbd3', 'Projeto Principal', now(), now());
insert into public.pipelines (id, project_id, tenant_id, name, created_at, updated_at)
values ('1d98bbd3-0000-4000-8000-000000000004', '1d98bbd3-0000-4000-8000-000000000003', 'user-1d98bbd3',
        'Pipeline Principal', now(), now());
insert into public.pipeline_statuses (pipeline_id, name, status_type, position, created_at, updated_at)
values ('1d98bbd3-0000-4000-8000-000000000004', 'Lead', 'open', 0, now(), now()),
       ('1d98bbd3-0000-4000-8000-000000000004', 'Qualificado', 'active', 1, now(), now()),
       ('1d98bbd3-0000-4000-8000-000000000004', 'Cliente', 'closed', 2, now(), now());
insert into public.contacts (id, project_id, tenant_id, name, phone, tags, created_at, updated_at)
values ('1d98bbd3-0000-4000-8000-000000000005', '1d98bbd3-0000-4000-8000-000000000003', 'user-1d98bbd3',
        'João', '+55 11 98888-7777', '["lead", "whatsapp"]', now(), now());
insert into public.agents (id, project_id, user_id, tenant_id, name, type, status, created_at, updated_at)
values ('1d98bbd3-0000-4000-8000-000000000006', '1d98bbd3-0000-4000-8000-000000000003',
        '1d98bbd3-0000-4000-8000-000000000001', 'user-1d98bbd3', 'Dona Aurora', 'human', 'available', now(), now());
insert into public.agents (id, project_id, tenant_id, name, email, type, config, created_at, updated_at)
select ('00000000-0000-0000-0000-0000000000' || number)::uuid,
       '1d98bbd3-0000-4000-8000-000000000003',
       'user-1d98bbd3',
       'System - ' || kind,
       '',
       'system',
       '{"immutable": true}',
       now(),
       now()
  from (values ('01', 'Broadcast'), ('02', 'Sequence'), ('03', 'Trigger'), ('04', 'Webhook'), ('05', 'Scheduled'),
               ('10', 'Test'), ('99', 'Default')) of_the_crm (number, kind);
insert into public.sessions (id, contact_id, tenant_id, started_at, last_activity_at, created_at, updated_at)
values ('1d98bbd3-0000-4000-8000-000000000007', '1d98bbd3-0000-4000-8000-000000000005', 'user-1d98bbd3',
        now(), now(), now(), now());
