-- Narrow facts of each contact, so that an answer about many contacts is one range of an index.
--
-- A fact is nothing but a copy of what the views mcp.live_… say of a contact; no trigger reckons. Triggers only
-- mark whose facts may have changed (mcp_store.fact_marks); readers take the facts of who is not marked and ask the
-- live views about the others, so an answer is exact in the very transaction of a change. mcp.refresh_facts()
-- takes marks away and makes their facts anew; until it does, answers take longer, and that is all.
--
-- Why nothing is missed: a mark is committed with its change. Whoever deletes it has seen it, and the live views are
-- asked afterwards, so by then the change shows. A mark names the contact where the changed row does, else the
-- conversation or the key of an agent or stage; who that concerns is looked up by whoever reads the mark, never by
-- who writes it, for at that moment another transaction may be moving the conversation to another contact.

-- Of contact_id, session_id and key at most one is set; with none, all of the tenant's contacts are meant. There is
-- nothing unique about a mark, so that writers never wait for each other.
create table mcp_store.fact_marks (
    tenant_id  text not null,
    contact_id uuid,
    session_id uuid,
    key        uuid
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
comment on table mcp_store.fact_marks is 'Whose facts may have changed since they were made; see mcp.refresh_facts().';
create index fact_marks_tenant_idx on mcp_store.fact_marks (tenant_id) include (contact_id);
-- Those that mean many contacts.
create index fact_marks_many_idx on mcp_store.fact_marks (tenant_id) include (key)
 where contact_id is null and session_id is null;

-- The agents (as the CRM names them, by agent or user) and stages that a contact's rows name: whom a change of one concerns.
create table mcp_store.fact_keys (
    tenant_id  text not null,
    contact_id uuid not null,
    keys       uuid[] not null,
    primary key (tenant_id, contact_id)
) with (autovacuum_vacuum_cost_delay = 0);
create index fact_keys_keys_idx on mcp_store.fact_keys using gin (keys);

create table mcp_store.fact_journeys (
    tenant_id     text not null,
    contact_id    uuid not null,
    agent_id      uuid,
    started_at    timestamptz not null,
    previous_at   timestamptz,
    shared_at     timestamptz,
    shared_before timestamptz,
    qualified     boolean not null,
    won_at        timestamptz,
    first_lost_at timestamptz,
    lost_at       timestamptz,
    kept_at       timestamptz
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
create index fact_journeys_started_idx
    on mcp_store.fact_journeys (tenant_id, started_at)
       include (agent_id, contact_id, previous_at, shared_at, shared_before, qualified, won_at, first_lost_at, lost_at, kept_at);
create index fact_journeys_contact_idx on mcp_store.fact_journeys (contact_id);

create table mcp_store.fact_waits (
    tenant_id    text not null,
    contact_id   uuid not null,
    agent_id     uuid,
    since        timestamptz not null,
    until        timestamptz,
    microseconds bigint,
    from_opening boolean not null
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
create index fact_waits_since_idx
    on mcp_store.fact_waits (tenant_id, since)
       include (agent_id, contact_id, until, microseconds, from_opening);
create index fact_waits_contact_idx on mcp_store.fact_waits (contact_id);

create table mcp_store.fact_leads (
    tenant_id      text not null,
    contact_id     uuid not null,
    created_at     timestamptz not null,
    status         text not null,
    decided_at     timestamptz,
    is_opportunity boolean not null
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
create index fact_leads_created_idx
    on mcp_store.fact_leads (tenant_id, created_at) include (contact_id, status, is_opportunity);
create index fact_leads_decided_idx
    on mcp_store.fact_leads (tenant_id, decided_at) include (contact_id)
 where status = 'qualified';
create index fact_leads_contact_idx on mcp_store.fact_leads (contact_id);

-- Sums of the facts above by quarters of an hour, the finest step by which time zones differ since 1972: whoever makes
-- such a fact anew counts its quarter anew. "decided" is by when leads were qualified, all else by when they were created.
create table mcp_store.fact_lead_slots (
    tenant_id     text not null,
    slot          timestamptz not null,
    leads         integer not null,
    qualified     integer not null,
    unqualified   integer not null,
    opportunities integer not null,
    decided       integer not null,
    primary key (tenant_id, slot) include (leads, qualified, unqualified, opportunities, decided)
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

-- Marks. An update is judged row by row, because most of them (a message is delivered, then read) concern no fact.
create function mcp_store.mark_contacts() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into mcp_store.fact_marks (tenant_id, contact_id) select distinct c.tenant_id, c.contact_id from changed c;
    return null;
end
$$;
create function mcp_store.mark_moved_contact() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into mcp_store.fact_marks (tenant_id, contact_id) values (new.tenant_id, new.contact_id);
    if (old.tenant_id, old.contact_id) is distinct from (new.tenant_id, new.contact_id) then
        insert into mcp_store.fact_marks (tenant_id, contact_id) values (old.tenant_id, old.contact_id);
    end if;
    return null;
end
$$;
create function mcp_store.mark_contacts_themselves() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into mcp_store.fact_marks (tenant_id, contact_id) select c.tenant_id, c.id from changed c;
    return null;
end
$$;
create function mcp_store.mark_changed_contact() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into mcp_store.fact_marks (tenant_id, contact_id) values (new.tenant_id, new.id);
    if (old.tenant_id, old.id) is distinct from (new.tenant_id, new.id) then
        insert into mcp_store.fact_marks (tenant_id, contact_id) values (old.tenant_id, old.id);
    end if;
    return null;
end
$$;
create function mcp_store.mark_sessions() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into mcp_store.fact_marks (tenant_id, session_id)
    select distinct c.tenant_id, c.session_id from changed c where c.session_id is not null;
    return null;
end
$$;
create function mcp_store.mark_moved_message() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into mcp_store.fact_marks (tenant_id, session_id)
    select distinct c.tenant_id, c.session_id
      from (values (old.tenant_id, old.session_id), (new.tenant_id, new.session_id)) c (tenant_id, session_id)
     where c.session_id is not null;
    return null;
end
$$;
-- An assignment has no tenant of its own: its conversation has.
create function mcp_store.mark_joined_sessions() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into mcp_store.fact_marks (tenant_id, session_id)
    select distinct s.tenant_id, s.id from changed c join public.sessions s on s.id = c.session_id;
    return null;
end
$$;
create function mcp_store.mark_moved_joining() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into mcp_store.fact_marks (tenant_id, session_id)
    select s.tenant_id, s.id from public.sessions s where s.id in (old.session_id, new.session_id);
    return null;
end
$$;
-- Then nobody may be just about to add an assignment that would be marked for the tenant of before.
create function mcp_store.wait_for_joinings() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    lock table public.agent_sessions in share mode;
    return null;
end
$$;
create function mcp_store.mark_agent() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if tg_op <> 'DELETE' then
        insert into mcp_store.fact_marks (tenant_id, key)
        select new.tenant_id, k.key from (values (new.id), (new.user_id)) k (key) where k.key is not null;
    end if;
    if tg_op <> 'INSERT' then
        insert into mcp_store.fact_marks (tenant_id, key)
        select old.tenant_id, k.key from (values (old.id), (old.user_id)) k (key) where k.key is not null;
    end if;
    return null;
end
$$;
create function mcp_store.mark_stage() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if tg_op <> 'DELETE' then
        insert into mcp_store.fact_marks (tenant_id, key)
        select p.tenant_id, new.id from public.pipelines p where p.id = new.pipeline_id;
    end if;
    if tg_op <> 'INSERT' then
        insert into mcp_store.fact_marks (tenant_id, key)
        select p.tenant_id, old.id from public.pipelines p where p.id = old.pipeline_id;
    end if;
    return null;
end
$$;
-- As with assignments: a stage has no tenant of its own.
create function mcp_store.mark_moved_pipeline() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    lock table public.pipeline_statuses in share mode;
    insert into mcp_store.fact_marks (tenant_id) values (old.tenant_id), (new.tenant_id);
    return null;
end
$$;
create function mcp_store.mark_tenant() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if tg_op <> 'DELETE' then
        insert into mcp_store.fact_marks (tenant_id)
        select new.tenant_id where new.key in ('lead_tag', 'won_stage_names', 'lost_stage_names');
    end if;
    if tg_op <> 'INSERT' then
        insert into mcp_store.fact_marks (tenant_id)
        select old.tenant_id where old.key in ('lead_tag', 'won_stage_names', 'lost_stage_names');
    end if;
    return null;
end
$$;
-- All tenants that have facts, each by one step through an index. Who has none has nothing to lose by a truncation.
create function mcp_store.mark_everybody() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into mcp_store.fact_marks (tenant_id)
    with recursive tenants as (
        select min(k.tenant_id) as tenant_id from mcp_store.fact_keys k
        union all
        select (select min(k.tenant_id) from mcp_store.fact_keys k where k.tenant_id > t.tenant_id)
          from tenants t
         where t.tenant_id is not null)
    select t.tenant_id from tenants t where t.tenant_id is not null;
    return null;
end
$$;

create trigger mark_inserted after insert on public.contacts referencing new table as changed
    for each statement execute function mcp_store.mark_contacts_themselves();
create trigger mark_deleted after delete on public.contacts referencing old table as changed
    for each statement execute function mcp_store.mark_contacts_themselves();
create trigger mark_updated after update on public.contacts
    for each row when ((old.id, old.tenant_id, old.created_at, old.deleted_at) is distinct from
                       (new.id, new.tenant_id, new.created_at, new.deleted_at)
                       or old.tags is distinct from new.tags)
    execute function mcp_store.mark_changed_contact();
create trigger mark_truncated after truncate on public.contacts
    for each statement execute function mcp_store.mark_everybody();

create trigger mark_inserted after insert on public.sessions referencing new table as changed
    for each statement execute function mcp_store.mark_contacts();
create trigger mark_deleted after delete on public.sessions referencing old table as changed
    for each statement execute function mcp_store.mark_contacts();
create trigger mark_updated after update on public.sessions
    for each row when ((old.id, old.tenant_id, old.contact_id, old.started_at, old.ended_at, old.deleted_at, old.sentiment, old.resolved)
                       is distinct from
                       (new.id, new.tenant_id, new.contact_id, new.started_at, new.ended_at, new.deleted_at, new.sentiment, new.resolved)
                       or old.agent_ids is distinct from new.agent_ids)
    execute function mcp_store.mark_moved_contact();
create trigger mark_another_tenants before update on public.sessions
    for each row when (old.tenant_id is distinct from new.tenant_id)
    execute function mcp_store.wait_for_joinings();
create trigger mark_truncated after truncate on public.sessions
    for each statement execute function mcp_store.mark_everybody();

create trigger mark_inserted after insert on public.agent_sessions referencing new table as changed
    for each statement execute function mcp_store.mark_joined_sessions();
create trigger mark_deleted after delete on public.agent_sessions referencing old table as changed
    for each statement execute function mcp_store.mark_joined_sessions();
create trigger mark_updated after update on public.agent_sessions
    for each row when ((old.session_id, old.agent_id, old.deleted_at) is distinct from
                       (new.session_id, new.agent_id, new.deleted_at))
    execute function mcp_store.mark_moved_joining();
create trigger mark_truncated after truncate on public.agent_sessions
    for each statement execute function mcp_store.mark_everybody();

create trigger mark_inserted after insert on public.messages referencing new table as changed
    for each statement execute function mcp_store.mark_sessions();
create trigger mark_deleted after delete on public.messages referencing old table as changed
    for each statement execute function mcp_store.mark_sessions();
create trigger mark_updated after update on public.messages
    for each row when ((old.id, old.tenant_id, old.session_id, old."timestamp", old.from_me, old.source, old.agent_id, old.deleted_at)
                       is distinct from
                       (new.id, new.tenant_id, new.session_id, new."timestamp", new.from_me, new.source, new.agent_id, new.deleted_at))
    execute function mcp_store.mark_moved_message();
create trigger mark_truncated after truncate on public.messages
    for each statement execute function mcp_store.mark_everybody();

create trigger mark_inserted after insert on public.contact_pipeline_statuses referencing new table as changed
    for each statement execute function mcp_store.mark_contacts();
create trigger mark_deleted after delete on public.contact_pipeline_statuses referencing old table as changed
    for each statement execute function mcp_store.mark_contacts();
create trigger mark_updated after update on public.contact_pipeline_statuses
    for each row when ((old.id, old.tenant_id, old.contact_id, old.status_id, old.entered_at, old.exited_at, old.deleted_at)
                       is distinct from
                       (new.id, new.tenant_id, new.contact_id, new.status_id, new.entered_at, new.exited_at, new.deleted_at))
    execute function mcp_store.mark_moved_contact();
create trigger mark_truncated after truncate on public.contact_pipeline_statuses
    for each statement execute function mcp_store.mark_everybody();

create trigger mark_inserted after insert on mcp_store.qualifications referencing new table as changed
    for each statement execute function mcp_store.mark_contacts();
create trigger mark_deleted after delete on mcp_store.qualifications referencing old table as changed
    for each statement execute function mcp_store.mark_contacts();
create trigger mark_updated after update on mcp_store.qualifications
    for each row when ((old.tenant_id, old.contact_id, old.status, old.decided_at, old.superseded_at)
                       is distinct from
                       (new.tenant_id, new.contact_id, new.status, new.decided_at, new.superseded_at))
    execute function mcp_store.mark_moved_contact();
create trigger mark_truncated after truncate on mcp_store.qualifications
    for each statement execute function mcp_store.mark_everybody();

create trigger mark_changed after insert or delete on public.agents
    for each row execute function mcp_store.mark_agent();
create trigger mark_updated after update on public.agents
    for each row when ((old.id, old.tenant_id, old.user_id, old.type, old.deleted_at) is distinct from
                       (new.id, new.tenant_id, new.user_id, new.type, new.deleted_at))
    execute function mcp_store.mark_agent();
create trigger mark_truncated after truncate on public.agents
    for each statement execute function mcp_store.mark_everybody();

create trigger mark_changed after insert or delete on public.pipeline_statuses
    for each row execute function mcp_store.mark_stage();
create trigger mark_updated after update on public.pipeline_statuses
    for each row when ((old.id, old.pipeline_id, old.name, old.status_type) is distinct from
                       (new.id, new.pipeline_id, new.name, new.status_type))
    execute function mcp_store.mark_stage();
create trigger mark_truncated after truncate on public.pipeline_statuses
    for each statement execute function mcp_store.mark_everybody();

create trigger mark_updated after update on public.pipelines
    for each row when ((old.id, old.tenant_id) is distinct from (new.id, new.tenant_id))
    execute function mcp_store.mark_moved_pipeline();

create trigger mark_changed after insert or update or delete on mcp_store.tenant_settings
    for each row execute function mcp_store.mark_tenant();
create trigger mark_truncated after truncate on mcp_store.tenant_settings
    for each statement execute function mcp_store.mark_everybody();

revoke all on all functions in schema mcp_store from public;
grant select, insert, delete on
    mcp_store.fact_marks, mcp_store.fact_keys, mcp_store.fact_journeys, mcp_store.fact_waits, mcp_store.fact_leads,
    mcp_store.fact_lead_slots
 to mcp_owner;

set local role mcp_owner;

-- The contacts of the transaction's tenant whose facts may not be as they should. So few, usually, that plans count
-- on ten: whatever is there is read through a hash of these, or by looking each of them up.
create function mcp.marked_contacts() returns setof uuid
language plpgsql stable parallel safe security definer rows 10
set search_path = pg_catalog, pg_temp as $$
declare
    tenant constant text := nullif(current_setting('mcp.tenant_id', true), '');
begin
    perform from mcp_store.fact_marks m where m.tenant_id = tenant limit 1;
    if not found then
        return;
    end if;
    perform from mcp_store.fact_marks m
      where m.tenant_id = tenant and m.contact_id is null and m.session_id is null and m.key is null
      limit 1;
    if found then
        return query
            select c.id from public.contacts c where c.tenant_id = tenant
             union select s.contact_id from public.sessions s where s.tenant_id = tenant
             union select k.contact_id from mcp_store.fact_keys k where k.tenant_id = tenant;
        return;
    end if;
    return query
        select m.contact_id from mcp_store.fact_marks m where m.tenant_id = tenant and m.contact_id is not null
         union
        select s.contact_id
          from mcp_store.fact_marks m
          join public.sessions s on s.id = m.session_id
         where m.tenant_id = tenant
           and s.tenant_id = tenant
         union
        select k.contact_id
          from mcp_store.fact_marks m
          join mcp_store.fact_keys k on k.keys @> array[m.key]
         where m.tenant_id = tenant
           and m.key is not null
           and k.tenant_id = tenant;
end
$$;

-- What follows from a contact's conversations, one row for each agent of a conversation that figures can be about,
-- and one without an agent for the team.
--
-- previous_at    start of the conversation before it of the same agent, or of any, with the contact: this one is
--                the first of a period exactly if that lies before the period, or there is none
-- shared_at      of the team's rows: the latest moment so that two agents have met the contact since then
-- shared_before  the same as of the team's conversation before: where shared_at lies in a period and shared_before
--                does not, it is this conversation by which the contact became one of several agents
-- won_at         the contact's first entry into a won stage; first_lost_at, lost_at: the first and the last into a lost
--                one; kept_at: the last into any other than a lost one
create view mcp.live_journeys with (security_barrier) as
with counting as materialized (
    select a.id
      from mcp.agents a
     where a.type not in ('system', 'virtual')
       and not a.deleted
),
closing as materialized (
    select coalesce(array_agg(s.id) filter (where s.outcome = 'won'), '{}') as won,
           coalesce(array_agg(s.id) filter (where s.outcome = 'lost'), '{}') as lost
      from mcp.stages s
)
select c.id as contact_id,
       met.agent_id,
       met.started_at,
       met.previous_at,
       met.shared_at,
       met.shared_before,
       coalesce((select d.status = 'qualified'
                   from mcp.decisions d
                  where d.contact_id = c.id), false) as qualified,
       moves.won_at,
       moves.first_lost_at,
       moves.lost_at,
       moves.kept_at
  from public.contacts c
 cross join lateral (
       select min(h.entered_at) filter (where h.stage_id = any ((select won from closing)::uuid[])) as won_at,
              min(h.entered_at) filter (where h.stage_id = any ((select lost from closing)::uuid[])) as first_lost_at,
              max(h.entered_at) filter (where h.stage_id = any ((select lost from closing)::uuid[])) as lost_at,
              max(h.entered_at) filter (where h.stage_id <> all ((select lost from closing)::uuid[])) as kept_at
         from mcp.stage_history h
        where h.contact_id = c.id) moves
 cross join lateral (
       with talks as materialized (
           select sa.session_id,
                  sa.started_at,
                  sa.agent_id
             from mcp.session_agents sa
            where sa.contact_id = c.id
              and sa.agent_id in (select k.id from counting k)
       ),
       sittings as (
           select t.session_id,
                  t.started_at,
                  array_agg(t.agent_id order by t.agent_id) as agents
             from talks t
            group by t.session_id,
                     t.started_at
       ),
       turns as (
           select s.session_id,
                  s.started_at,
                  lag(s.started_at) over earlier as previous_at,
                  case
                      when cardinality(s.agents) > 1 then s.started_at
                      when s.agents <> lag(s.agents) over earlier then lag(s.started_at) over earlier
                  end as apart_at
             from sittings s
           window earlier as (order by s.started_at, s.session_id)
       )
       select t.agent_id,
              t.started_at,
              lag(t.started_at) over (partition by t.agent_id order by t.started_at, t.session_id) as previous_at,
              null::timestamptz as shared_at,
              null::timestamptz as shared_before
         from talks t
        union all
       select null,
              t.started_at,
              t.previous_at,
              max(t.apart_at) over (order by t.started_at, t.session_id),
              max(t.apart_at) over (order by t.started_at, t.session_id
                                    rows between unbounded preceding and 1 preceding)
         from turns t) met
 where c.tenant_id = nullif(current_setting('mcp.tenant_id', true), '')
   and c.deleted_at is null;

-- How customers waited for a person. Within a conversation, in order of time: a wait begins with the first unanswered
-- message of the customer and ends with the next message that a human sent by hand. Who sent by hand and is known
-- to be no human (an AI, a bot) stops no clock; an unknown sender does. agent_id: who ended it, where that is a human
-- of the tenant; from_opening: it began with the conversation's first message.
create view mcp.live_waits with (security_barrier) as
with senders as materialized (
    select distinct on (keys.key)
           keys.key,
           keys.agent_id,
           keys.type,
           keys.deleted
      from (select a.id as key,
                   1 as preference,
                   a.id as agent_id,
                   a.type,
                   a.deleted
              from mcp.agents a
             union all
            select a.user_id,
                   2,
                   a.id,
                   a.type,
                   a.deleted
              from mcp.agents a
             where a.user_id is not null) keys
     order by keys.key, keys.preference, keys.type <> 'human', keys.deleted, keys.agent_id
)
select s.contact_id,
       waits.agent_id,
       waits.since,
       waits.until,
       round(extract(epoch from waits.until - waits.since) * 1000000)::bigint as microseconds,
       waits.from_opening
  from public.sessions s
 cross join lateral (
       with spoken as (
           select m.id,
                  m."timestamp" as sent_at,
                  m.from_me is not true as inbound,
                  (m.from_me is true and m.source = 'manual') and (sender.key is null or sender.type = 'human') as by_hand,
                  case when sender.type = 'human' and not sender.deleted then sender.agent_id end as agent_id,
                  row_number() over (order by m."timestamp", m.id) = 1 as opening
             from public.messages m
             left join senders sender on sender.key = m.agent_id
            where m.session_id = s.id
              and m.tenant_id = s.tenant_id
              and m.deleted_at is null
       ),
       turns as (
           select p.sent_at,
                  p.inbound,
                  p.agent_id,
                  p.opening,
                  count(*) filter (where not p.inbound) over (
                      order by p.sent_at, p.id
                      rows between unbounded preceding and 1 preceding) as answers_before
             from spoken p
            where p.inbound
               or p.by_hand
       )
       select min(t.sent_at) filter (where t.inbound) as since,
              min(t.sent_at) filter (where not t.inbound) as until,
              (array_agg(t.agent_id) filter (where not t.inbound))[1] as agent_id,
              bool_or(t.opening) as from_opening
         from turns t
        group by t.answers_before) waits
 where s.tenant_id = nullif(current_setting('mcp.tenant_id', true), '')
   and s.deleted_at is null
   and waits.since is not null;

-- Leads, with their decision, and whether they stand now in a stage of type active.
create view mcp.live_leads with (security_barrier) as
select k.id as contact_id,
       lead.created_at,
       lead.status,
       lead.decided_at,
       exists (select
                 from mcp.stage_history h
                where h.contact_id = k.id
                  and h.exited_at is null
                  and h.stage_id = any (array(select s.id from mcp.stages s where s.type = 'active'))) as is_opportunity
  from public.contacts k
 cross join lateral (
       select c.created_at,
              c.status,
              c.decided_at
         from mcp.contacts c
        where c.id = k.id
          and c.is_lead
        limit 1) lead
 where k.tenant_id = nullif(current_setting('mcp.tenant_id', true), '')
   and k.deleted_at is null;

-- The agents and stages that the rows of contacts name.
create view mcp.live_keys with (security_barrier) as
select named.contact_id,
       array_agg(distinct named.key) as keys
  from (select s.contact_id,
               trace.key
          from public.sessions s
         cross join lateral (
               select mcp.uuid_or_null(listed) as key
                 from jsonb_array_elements_text(case jsonb_typeof(s.agent_ids) when 'array' then s.agent_ids else '[]' end) listed
                union all
               select joined.agent_id
                 from public.agent_sessions joined
                where joined.session_id = s.id
                union all
               select m.agent_id
                 from public.messages m
                where m.session_id = s.id
                  and m.tenant_id = s.tenant_id
                  and m.from_me is true
                  and m.source = 'manual'
                  and m.deleted_at is null) trace
         where s.tenant_id = nullif(current_setting('mcp.tenant_id', true), '')
         union all
        select h.contact_id,
               h.status_id
          from public.contact_pipeline_statuses h
         where h.tenant_id = nullif(current_setting('mcp.tenant_id', true), '')
           and h.deleted_at is null) named
 where named.key is not null
 group by named.contact_id;

-- Facts of who is not marked, and of the others what is so now: from functions, so that a statement's plan is as small
-- as what it usually reads. The union stands one level deeper, for PostgreSQL flattens one that is the whole view, and
-- then the view is no barrier.
create function mcp.marked_journeys()
returns table (contact_id uuid,
               agent_id uuid,
               started_at timestamptz,
               previous_at timestamptz,
               shared_at timestamptz,
               shared_before timestamptz,
               qualified boolean,
               won_at timestamptz,
               first_lost_at timestamptz,
               lost_at timestamptz,
               kept_at timestamptz)
language plpgsql stable parallel safe security definer rows 10
set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
    return query
        select live.contact_id,
               live.agent_id,
               live.started_at,
               live.previous_at,
               live.shared_at,
               live.shared_before,
               live.qualified,
               live.won_at,
               live.first_lost_at,
               live.lost_at,
               live.kept_at
          from mcp.marked_contacts() marked
         cross join lateral (
               select l.contact_id,
                      l.agent_id,
                      l.started_at,
                      l.previous_at,
                      l.shared_at,
                      l.shared_before,
                      l.qualified,
                      l.won_at,
                      l.first_lost_at,
                      l.lost_at,
                      l.kept_at
                 from mcp.live_journeys l
                where l.contact_id = marked
               offset 0) live;
end
$$;

create view mcp.journeys with (security_barrier) as
select found.contact_id,
       found.agent_id,
       found.started_at,
       found.previous_at,
       found.shared_at,
       found.shared_before,
       found.qualified,
       found.won_at,
       found.first_lost_at,
       found.lost_at,
       found.kept_at
  from (select f.contact_id,
               f.agent_id,
               f.started_at,
               f.previous_at,
               f.shared_at,
               f.shared_before,
               f.qualified,
               f.won_at,
               f.first_lost_at,
               f.lost_at,
               f.kept_at
          from mcp_store.fact_journeys f
         where f.tenant_id = nullif(current_setting('mcp.tenant_id', true), '')
           and f.contact_id not in (select marked from mcp.marked_contacts() marked)
         union all
        select m.contact_id,
               m.agent_id,
               m.started_at,
               m.previous_at,
               m.shared_at,
               m.shared_before,
               m.qualified,
               m.won_at,
               m.first_lost_at,
               m.lost_at,
               m.kept_at
          from mcp.marked_journeys() m) found;

create function mcp.marked_waits()
returns table (contact_id uuid,
               agent_id uuid,
               since timestamptz,
               until timestamptz,
               microseconds bigint,
               from_opening boolean)
language plpgsql stable parallel safe security definer rows 10
set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
    return query
        select live.contact_id,
               live.agent_id,
               live.since,
               live.until,
               live.microseconds,
               live.from_opening
          from mcp.marked_contacts() marked
         cross join lateral (
               select l.contact_id,
                      l.agent_id,
                      l.since,
                      l.until,
                      l.microseconds,
                      l.from_opening
                 from mcp.live_waits l
                where l.contact_id = marked
               offset 0) live;
end
$$;

create view mcp.waits with (security_barrier) as
select found.contact_id,
       found.agent_id,
       found.since,
       found.until,
       found.microseconds,
       found.from_opening
  from (select f.contact_id,
               f.agent_id,
               f.since,
               f.until,
               f.microseconds,
               f.from_opening
          from mcp_store.fact_waits f
         where f.tenant_id = nullif(current_setting('mcp.tenant_id', true), '')
           and f.contact_id not in (select marked from mcp.marked_contacts() marked)
         union all
        select m.contact_id,
               m.agent_id,
               m.since,
               m.until,
               m.microseconds,
               m.from_opening
          from mcp.marked_waits() m) found;

create function mcp.marked_leads()
returns table (contact_id uuid,
               created_at timestamptz,
               status text,
               decided_at timestamptz,
               is_opportunity boolean)
language plpgsql stable parallel safe security definer rows 10
set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
    return query
        select live.contact_id,
               live.created_at,
               live.status,
               live.decided_at,
               live.is_opportunity
          from mcp.marked_contacts() marked
         cross join lateral (
               select l.contact_id,
                      l.created_at,
                      l.status,
                      l.decided_at,
                      l.is_opportunity
                 from mcp.live_leads l
                where l.contact_id = marked
               offset 0) live;
end
$$;

create view mcp.leads with (security_barrier) as
select found.contact_id,
       found.created_at,
       found.status,
       found.decided_at,
       found.is_opportunity
  from (select f.contact_id,
               f.created_at,
               f.status,
               f.decided_at,
               f.is_opportunity
          from mcp_store.fact_leads f
         where f.tenant_id = nullif(current_setting('mcp.tenant_id', true), '')
           and f.contact_id not in (select marked from mcp.marked_contacts() marked)
         union all
        select m.contact_id,
               m.created_at,
               m.status,
               m.decided_at,
               m.is_opportunity
          from mcp.marked_leads() m) found;

-- What the sums lack of who is marked: what is so now, less what was when the fact was made.
create function mcp.marked_lead_slots()
returns table (slot timestamptz,
               leads integer,
               qualified integer,
               unqualified integer,
               opportunities integer,
               decided integer)
language plpgsql stable parallel safe security definer rows 10
set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
    return query
        select date_bin('15 minutes', moment.at, '2000-01-01 00:00+00'),
               change.sign * moment.leads,
               change.sign * moment.leads * (change.status = 'qualified')::integer,
               change.sign * moment.leads * (change.status = 'unqualified')::integer,
               change.sign * moment.leads * change.is_opportunity::integer,
               change.sign * moment.decided
          from (select 1 as sign, m.created_at, m.status, m.decided_at, m.is_opportunity
                  from mcp.marked_leads() m
                 union all
                select -1, f.created_at, f.status, f.decided_at, f.is_opportunity
                  from mcp.marked_contacts() marked
                 cross join lateral (
                       select l.created_at, l.status, l.decided_at, l.is_opportunity
                         from mcp_store.fact_leads l
                        where l.contact_id = marked
                          and l.tenant_id = nullif(current_setting('mcp.tenant_id', true), '')
                       offset 0) f) change
         cross join lateral (
               values (change.created_at, 1, 0),
                      (case when change.status = 'qualified' then change.decided_at end, 0, 1)) moment (at, leads, decided)
         where moment.at is not null;
end
$$;

create view mcp.lead_slots with (security_barrier) as
select found.slot,
       found.leads,
       found.qualified,
       found.unqualified,
       found.opportunities,
       found.decided
  from (select f.slot,
               f.leads,
               f.qualified,
               f.unqualified,
               f.opportunities,
               f.decided
          from mcp_store.fact_lead_slots f
         where f.tenant_id = nullif(current_setting('mcp.tenant_id', true), '')
         union all
        select m.slot,
               m.leads,
               m.qualified,
               m.unqualified,
               m.opportunities,
               m.decided
          from mcp.marked_lead_slots() m) found;

-- What queries ask. Another CRM's database answers the same from its rows, and can do so only where it is told the
-- period; PostgreSQL puts the text in the place of the call.
create function mcp.journeys_between(period_start timestamptz, period_end timestamptz)
returns table (contact_id uuid,
               agent_id uuid,
               started_at timestamptz,
               previous_at timestamptz,
               shared_at timestamptz,
               shared_before timestamptz,
               qualified boolean,
               won_at timestamptz,
               first_lost_at timestamptz,
               lost_at timestamptz,
               kept_at timestamptz)
language sql stable parallel safe
as $$
select j.contact_id,
       j.agent_id,
       j.started_at,
       j.previous_at,
       j.shared_at,
       j.shared_before,
       j.qualified,
       j.won_at,
       j.first_lost_at,
       j.lost_at,
       j.kept_at
  from mcp.journeys j
 where j.started_at >= $1
   and j.started_at < $2
$$;

create function mcp.waits_between(period_start timestamptz, period_end timestamptz)
returns table (contact_id uuid,
               agent_id uuid,
               since timestamptz,
               until timestamptz,
               microseconds bigint,
               from_opening boolean)
language sql stable parallel safe
as $$
select w.contact_id,
       w.agent_id,
       w.since,
       w.until,
       w.microseconds,
       w.from_opening
  from mcp.waits w
 where w.since >= $1
   and w.since < $2
$$;

-- Leads created and leads qualified in a period, as sums by moments: one row stands for as many as it says. Whole
-- quarters of an hour are summed already; what the period has of those at its ends is counted lead by lead.
create function mcp.leads_between(period_start timestamptz, period_end timestamptz)
returns table (at timestamptz,
               leads integer,
               qualified integer,
               unqualified integer,
               opportunities integer,
               decided integer)
language sql stable parallel safe as $$
select s.slot,
       s.leads,
       s.qualified,
       s.unqualified,
       s.opportunities,
       s.decided
  from mcp.lead_slots s
 where s.slot >= date_bin('15 minutes', $1 + interval '14 minutes 59.999999 seconds', '2000-01-01 00:00+00')
   and s.slot < date_bin('15 minutes', $2, '2000-01-01 00:00+00')
 union all
select l.created_at,
       1,
       (l.status = 'qualified')::integer,
       (l.status = 'unqualified')::integer,
       l.is_opportunity::integer,
       0
  from mcp.leads l
 where l.created_at >= $1
   and l.created_at < least($2, date_bin('15 minutes', $1 + interval '14 minutes 59.999999 seconds', '2000-01-01 00:00+00'))
 union all
select l.created_at,
       1,
       (l.status = 'qualified')::integer,
       (l.status = 'unqualified')::integer,
       l.is_opportunity::integer,
       0
  from mcp.leads l
 where l.created_at >= greatest(date_bin('15 minutes', $2, '2000-01-01 00:00+00'),
                                date_bin('15 minutes', $1 + interval '14 minutes 59.999999 seconds', '2000-01-01 00:00+00'))
   and l.created_at < $2
 union all
select l.decided_at,
       0,
       0,
       0,
       0,
       1
  from mcp.leads l
 where l.status = 'qualified'
   and l.decided_at >= $1
   and l.decided_at < least($2, date_bin('15 minutes', $1 + interval '14 minutes 59.999999 seconds', '2000-01-01 00:00+00'))
 union all
select l.decided_at,
       0,
       0,
       0,
       0,
       1
  from mcp.leads l
 where l.status = 'qualified'
   and l.decided_at >= greatest(date_bin('15 minutes', $2, '2000-01-01 00:00+00'),
                                date_bin('15 minutes', $1 + interval '14 minutes 59.999999 seconds', '2000-01-01 00:00+00'))
   and l.decided_at < $2
$$;

-- Makes the facts anew of who the oldest marks name, and returns how many marks it took, 0 when there are none, and
-- null where another is at it. Its callers learn nothing else. Statements see what was committed before each of them,
-- so that whatever a mark stands for shows when its contact's facts are made.
create function mcp.refresh_facts(most integer) returns integer
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
declare
    before constant text := coalesce(current_setting('mcp.tenant_id', true), '');
    marks mcp_store.fact_marks[];
    tenant text;
    contacts uuid[];
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'facts are made in read committed transactions only';
    end if;
    if not pg_try_advisory_xact_lock(hashtextextended('mcp facts', 0)) then
        return null;
    end if;
    if mcp.unfold_mark() then
        return 1;
    end if;
    -- The oldest lie first in the table; by the index, tenants of many changes would keep others waiting.
    perform set_config('enable_seqscan', 'on', true);
    with taken as (
        delete from mcp_store.fact_marks
         where ctid = any (array(select m.ctid
                                   from mcp_store.fact_marks m
                                  where m.contact_id is not null
                                     or m.session_id is not null
                                  limit least(greatest(most, 1), 10000)))
        returning fact_marks)
    select array_agg(t.fact_marks) into marks from taken t;
    -- Facts are found by their indexes, also while statistics say that there are next to none.
    perform set_config('enable_seqscan', 'off', true);
    for tenant in select distinct m.tenant_id from unnest(marks) m loop
        perform set_config('mcp.tenant_id', tenant, true);
        contacts := array(
            select m.contact_id from unnest(marks) m where m.tenant_id = tenant and m.contact_id is not null
             union
            select s.contact_id
              from unnest(marks) m
              join public.sessions s on s.id = m.session_id
             where m.tenant_id = tenant
               and s.tenant_id = tenant);
        perform mcp.make_facts(tenant, contacts);
        perform mcp.make_leads(tenant, contacts);
    end loop;
    perform set_config('mcp.tenant_id', before, true);
    return coalesce(cardinality(marks), 0);
end
$$;

-- Takes a mark that means many contacts, marks each of them, and says whether there was one; later rounds take these.
create function mcp.unfold_mark() returns boolean
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    mark mcp_store.fact_marks;
begin
    delete from mcp_store.fact_marks
     where ctid = (select m.ctid
                     from mcp_store.fact_marks m
                    where m.contact_id is null
                      and m.session_id is null
                    limit 1)
    returning * into mark;
    if mark.tenant_id is null then
        return false;
    end if;
    if mark.key is null then
        insert into mcp_store.fact_marks (tenant_id, contact_id)
        select mark.tenant_id, everybody.id
          from (select c.id from public.contacts c where c.tenant_id = mark.tenant_id
                 union select s.contact_id from public.sessions s where s.tenant_id = mark.tenant_id
                 union select k.contact_id from mcp_store.fact_keys k where k.tenant_id = mark.tenant_id) everybody;
    else
        insert into mcp_store.fact_marks (tenant_id, contact_id)
        select mark.tenant_id, k.contact_id
          from mcp_store.fact_keys k
         where k.keys @> array[mark.key]
           and k.tenant_id = mark.tenant_id;
    end if;
    return true;
end
$$;

-- Makes the facts of some contacts of the transaction's tenant anew.
create function mcp.make_facts(tenant text, contacts uuid[]) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
    delete from mcp_store.fact_keys f where f.tenant_id = tenant and f.contact_id = any (contacts);
    delete from mcp_store.fact_journeys f where f.tenant_id = tenant and f.contact_id = any (contacts);
    delete from mcp_store.fact_waits f where f.tenant_id = tenant and f.contact_id = any (contacts);
    insert into mcp_store.fact_keys (tenant_id, contact_id, keys)
    select tenant, c.id, live.keys
      from unnest(contacts) c (id)
     cross join lateral (select l.keys from mcp.live_keys l where l.contact_id = c.id offset 0) live;
    insert into mcp_store.fact_journeys (tenant_id, contact_id, agent_id, started_at, previous_at, shared_at,
                                         shared_before, qualified, won_at, first_lost_at, lost_at, kept_at)
    select tenant, c.id, live.agent_id, live.started_at, live.previous_at, live.shared_at,
           live.shared_before, live.qualified, live.won_at, live.first_lost_at, live.lost_at, live.kept_at
      from unnest(contacts) c (id)
     cross join lateral (
           select l.agent_id, l.started_at, l.previous_at, l.shared_at,
                  l.shared_before, l.qualified, l.won_at, l.first_lost_at, l.lost_at, l.kept_at
             from mcp.live_journeys l
            where l.contact_id = c.id
           offset 0) live;
    insert into mcp_store.fact_waits (tenant_id, contact_id, agent_id, since, until, microseconds, from_opening)
    select tenant, c.id, live.agent_id, live.since, live.until, live.microseconds, live.from_opening
      from unnest(contacts) c (id)
     cross join lateral (
           select l.agent_id, l.since, l.until, l.microseconds, l.from_opening
             from mcp.live_waits l
            where l.contact_id = c.id
           offset 0) live;
end
$$;

-- Makes the same of leads, and counts each quarter of an hour anew that any of them was or is in.
create function mcp.make_leads(tenant text, contacts uuid[]) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    slots timestamptz[];
begin
    with gone as (
        delete from mcp_store.fact_leads f
         where f.tenant_id = tenant
           and f.contact_id = any (contacts)
        returning f.created_at, f.decided_at),
    come as (
        insert into mcp_store.fact_leads (tenant_id, contact_id, created_at, status, decided_at, is_opportunity)
        select tenant, c.id, live.created_at, live.status, live.decided_at, live.is_opportunity
          from unnest(contacts) c (id)
         cross join lateral (
               select l.created_at, l.status, l.decided_at, l.is_opportunity
                 from mcp.live_leads l
                where l.contact_id = c.id
               offset 0) live
        returning created_at, decided_at)
    select array_agg(distinct date_bin('15 minutes', moment.at, '2000-01-01 00:00+00')) into slots
      from (select g.created_at as at from gone g
             union all select g.decided_at from gone g
             union all select c.created_at from come c
             union all select c.decided_at from come c) moment
     where moment.at is not null;
    delete from mcp_store.fact_lead_slots s where s.tenant_id = tenant and s.slot = any (slots);
    insert into mcp_store.fact_lead_slots (tenant_id, slot, leads, qualified, unqualified, opportunities, decided)
    select tenant, s.slot, created.leads, created.qualified, created.unqualified, created.opportunities, decided.n
      from unnest(slots) s (slot)
     cross join lateral (
           select count(*) as leads,
                  count(*) filter (where l.status = 'qualified') as qualified,
                  count(*) filter (where l.status = 'unqualified') as unqualified,
                  count(*) filter (where l.is_opportunity) as opportunities
             from mcp_store.fact_leads l
            where l.tenant_id = tenant
              and l.created_at >= s.slot
              and l.created_at < s.slot + interval '15 minutes') created
     cross join lateral (
           select count(*) as n
             from mcp_store.fact_leads l
            where l.tenant_id = tenant
              and l.status = 'qualified'
              and l.decided_at >= s.slot
              and l.decided_at < s.slot + interval '15 minutes') decided
     where created.leads + decided.n > 0;
end
$$;

revoke all on function mcp.refresh_facts(integer), mcp.unfold_mark(),
                       mcp.make_facts(text, uuid[]), mcp.make_leads(text, uuid[]),
                       mcp.marked_contacts(), mcp.marked_journeys(), mcp.marked_waits(), mcp.marked_leads(),
                       mcp.marked_lead_slots(), mcp.journeys_between(timestamptz, timestamptz),
                       mcp.waits_between(timestamptz, timestamptz), mcp.leads_between(timestamptz, timestamptz)
  from public;
grant execute on function mcp.marked_contacts(), mcp.marked_journeys(), mcp.marked_waits(), mcp.marked_leads(),
                          mcp.marked_lead_slots(), mcp.journeys_between(timestamptz, timestamptz),
                          mcp.waits_between(timestamptz, timestamptz), mcp.leads_between(timestamptz, timestamptz)
   to mcp_reader, mcp_writer;
grant execute on function mcp.refresh_facts(integer) to mcp_writer;
grant select on mcp.journeys, mcp.waits, mcp.leads, mcp.lead_slots, mcp.live_journeys, mcp.live_waits
   to mcp_reader, mcp_writer;

reset role;

-- Rows that were there before.
insert into mcp_store.fact_marks (tenant_id)
select c.tenant_id from public.contacts c
 union
select s.tenant_id from public.sessions s;
