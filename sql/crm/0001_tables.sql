-- The CRM's own tables, in the shape of Ventros CRM: same names, columns and types.
--
-- Kept on purpose as they are there: tenant ids are text; `agent_ids` is a JSON array;
-- a stage has no tenant and no won/lost flag; an agent's messages bear agents.id or
-- agents.user_id; rows are deleted softly; one system agent stands in a tenant's rows.
-- No foreign key where Ventros has none (messages.agent_id, sessions.pipeline_id).

create table public.users (
    id         uuid primary key default gen_random_uuid(),
    name       text not null,
    email      text,
    created_at timestamptz not null default now()
);

create table public.projects (
    id                      uuid primary key default gen_random_uuid(),
    version                 integer not null default 1,
    user_id                 uuid not null references public.users,
    tenant_id               text not null,
    name                    text not null,
    description             text,
    configuration           jsonb,
    active                  boolean not null default true,
    session_timeout_minutes bigint not null default 30,
    created_at              timestamptz not null default now(),
    updated_at              timestamptz not null default now(),
    deleted_at              timestamptz
);
create unique index idx_projects_tenant_unique on public.projects (tenant_id);

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
    timezone                   text,
    language                   text default 'en',
    tags                       jsonb,
    profile_picture_url        text,
    profile_picture_fetched_at timestamptz,
    first_interaction_at       timestamptz,
    last_interaction_at        timestamptz,
    created_at                 timestamptz not null default now(),
    updated_at                 timestamptz not null default now(),
    deleted_at                 timestamptz
);
create index contacts_tenant_created_idx on public.contacts (tenant_id, created_at, id) where deleted_at is null;
create index contacts_tenant_name_idx on public.contacts (tenant_id, name);
create index contacts_project_idx on public.contacts (project_id);
create index contacts_phone_idx on public.contacts (phone);
create index contacts_email_idx on public.contacts (email);

create table public.contact_custom_fields (
    id          uuid primary key default gen_random_uuid(),
    contact_id  uuid not null references public.contacts,
    tenant_id   text not null,
    field_key   text not null,
    field_type  text not null,
    field_value jsonb,
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now(),
    deleted_at  timestamptz,
    constraint uq_contact_custom_fields_contact_key unique (contact_id, field_key)
);

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
    enable_ai_summary       boolean,
    a_iprovider             text,
    ai_model                text,
    created_at              timestamptz not null default now(),
    updated_at              timestamptz not null default now(),
    deleted_at              timestamptz
);
create index pipelines_tenant_idx on public.pipelines (tenant_id, position, id);

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
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now(),
    deleted_at  timestamptz
);
create index pipeline_statuses_pipeline_idx on public.pipeline_statuses (pipeline_id);

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
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now(),
    deleted_at  timestamptz
);
create index contact_pipeline_statuses_contact_idx
    on public.contact_pipeline_statuses (contact_id, entered_at) include (status_id, tenant_id, exited_at)
 where deleted_at is null;
create index contact_pipeline_statuses_open_idx
    on public.contact_pipeline_statuses (tenant_id, status_id, contact_id)
 where deleted_at is null and exited_at is null;

create table public.agents (
    id                  uuid primary key default gen_random_uuid(),
    version             integer not null default 1,
    project_id          uuid not null references public.projects,
    user_id             uuid references public.users,
    tenant_id           text not null,
    name                text not null,
    email               text,
    type                text not null default 'human',
    status              text default 'offline',
    active              boolean default true,
    config              jsonb,
    virtual_metadata    jsonb,
    sessions_handled    bigint default 0,
    average_response_ms bigint default 0,
    last_activity_at    timestamptz,
    created_at          timestamptz not null default now(),
    updated_at          timestamptz not null default now(),
    deleted_at          timestamptz
);
create index agents_tenant_idx on public.agents (tenant_id, type);
create index agents_user_idx on public.agents (user_id);

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
    timeout_duration            bigint,
    last_activity_at            timestamptz not null,
    message_count               bigint default 0,
    messages_from_contact       bigint default 0,
    messages_from_agent         bigint default 0,
    duration_seconds            bigint,
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
    created_at                  timestamptz not null default now(),
    updated_at                  timestamptz not null default now(),
    deleted_at                  timestamptz
);
create index sessions_tenant_started_idx on public.sessions (tenant_id, started_at) where deleted_at is null;
create index sessions_tenant_ended_idx on public.sessions (tenant_id, ended_at) where deleted_at is null;
create index sessions_tenant_open_idx on public.sessions (tenant_id, id) where deleted_at is null and status = 'active';
create index sessions_contact_idx on public.sessions (contact_id, started_at);

create table public.agent_sessions (
    id              uuid primary key default gen_random_uuid(),
    agent_id        uuid not null references public.agents,
    session_id      uuid not null references public.sessions,
    role_in_session text,
    joined_at       timestamptz not null,
    left_at         timestamptz,
    is_active       boolean default true,
    metadata        jsonb,
    created_at      timestamptz not null default now(),
    updated_at      timestamptz not null default now(),
    deleted_at      timestamptz
);
create index agent_sessions_session_idx on public.agent_sessions (session_id) include (agent_id);

create table public.channels (
    id         uuid primary key default gen_random_uuid(),
    project_id uuid not null references public.projects,
    tenant_id  text not null,
    name       text not null,
    type       text not null,
    created_at timestamptz not null default now(),
    deleted_at timestamptz
);

create table public.messages (
    id                 uuid primary key default gen_random_uuid(),
    tenant_id          text not null,
    "timestamp"        timestamptz not null,
    user_id            uuid not null,
    project_id         uuid not null references public.projects,
    channel_type_id    bigint,
    from_me            boolean default false,
    channel_id         uuid not null references public.channels,
    chat_id            uuid,
    contact_id         uuid not null references public.contacts,
    session_id         uuid references public.sessions,
    content_type       text not null default 'text',
    text               text,
    media_url          text,
    media_mimetype     text,
    channel_message_id text,
    reply_to_id        uuid,
    status             text,
    language           text,
    agent_id           uuid,
    metadata           jsonb,
    mentions           text[],
    delivered_at       timestamptz,
    read_at            timestamptz,
    played_at          timestamptz,
    source             varchar(20) not null default 'manual',
    created_at         timestamptz not null default now(),
    updated_at         timestamptz not null default now(),
    deleted_at         timestamptz,
    constraint chk_messages_source check (source in (
        'manual', 'broadcast', 'sequence', 'trigger', 'bot', 'system',
        'webhook', 'scheduled', 'test', 'history_import'))
);
-- A conversation in order, without touching the message bodies.
create index messages_session_idx
    on public.messages (session_id, "timestamp", id) include (tenant_id, from_me, source, agent_id)
 where deleted_at is null;
-- What customers wrote in a period: where the clock of every response time starts.
create index messages_inbound_idx
    on public.messages (tenant_id, "timestamp") include (session_id)
 where deleted_at is null and from_me is not true;
create index messages_agent_idx
    on public.messages (tenant_id, agent_id, "timestamp")
 where deleted_at is null and from_me is true;
create index messages_contact_idx on public.messages (contact_id);

create table public.session_ratings (
    id         uuid primary key default gen_random_uuid(),
    tenant_id  text not null,
    session_id uuid not null references public.sessions,
    contact_id uuid not null references public.contacts,
    rating     smallint not null check (rating between 1 and 5),
    rated_at   timestamptz not null,
    deleted_at timestamptz
);
comment on table public.session_ratings is 'Customer satisfaction (1-5) of a conversation; Ventros has no such table.';
create index session_ratings_tenant_idx on public.session_ratings (tenant_id, rated_at) where deleted_at is null;

create table public.contact_events (
    id                 uuid primary key default gen_random_uuid(),
    contact_id         uuid not null references public.contacts,
    session_id         uuid references public.sessions,
    tenant_id          text not null,
    event_type         text not null,
    category           text not null,
    priority           text not null,
    source             text not null,
    title              text,
    description        text,
    payload            jsonb,
    metadata           jsonb,
    triggered_by       uuid,
    integration_source text,
    is_realtime        boolean default true,
    delivered          boolean default false,
    delivered_at       timestamptz,
    read               boolean default false,
    read_at            timestamptz,
    visible_to_client  boolean default false,
    visible_to_agent   boolean default true,
    expires_at         timestamptz,
    occurred_at        timestamptz not null,
    created_at         timestamptz not null default now(),
    deleted_at         timestamptz
);
create index contact_events_contact_idx on public.contact_events (contact_id, occurred_at);

create table public.notes (
    id                uuid primary key default gen_random_uuid(),
    contact_id        uuid not null references public.contacts,
    session_id        uuid references public.sessions,
    tenant_id         text not null,
    author_id         uuid not null,
    author_type       text not null,
    author_name       text,
    content           text not null,
    note_type         text not null default 'general',
    priority          text not null default 'normal',
    visible_to_client boolean default false,
    pinned            boolean default false,
    tags              text[],
    mentions          jsonb,
    attachments       text[],
    created_at        timestamptz not null default now(),
    updated_at        timestamptz not null default now(),
    deleted_at        timestamptz
);
create index notes_contact_idx on public.notes (contact_id, created_at);

create table public.outbox_events (
    id             uuid primary key default gen_random_uuid(),
    event_id       uuid not null unique,
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
    retry_count    integer not null default 0,
    last_error     text,
    last_retry_at  timestamptz,
    deleted_at     timestamptz
);
create index outbox_events_pending_idx on public.outbox_events (created_at) where status = 'pending';
