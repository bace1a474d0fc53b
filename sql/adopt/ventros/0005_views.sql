-- The views in the schema mcp: all of the CRM that the server ever sees.
--
-- Each lets through only rows of the tenant that is set for the current transaction;
-- with none set, the comparison is with null and the view is empty. They belong to
-- mcp_owner (so the caller needs no right on a base table) and are security barriers
-- (so no operator of a query sees a row before the tenant was compared). What a barrier
-- costs: join conditions do not reach beneath it, constants and lateral references do,
-- so queries restrict by period and look single rows up laterally.
--
-- Columns, not operators: what needs jsonb operators is unfolded here.

set local role mcp_owner;

-- Upper and lower case and accents do not count. Not unaccent(): it may not be installed,
-- and lower() leaves accented capitals alone where the database's locale is C. Most text is
-- ASCII, and translate() is slow.
create function mcp.folded(value text) returns text
language sql immutable parallel safe strict
return case
    when octet_length(value) = char_length(value) then lower(value)
    else lower(translate(value,
    'ÁÀÂÃÄÅáàâãäåÉÈÊËéèêëÍÌÎÏíìîïÓÒÔÕÖóòôõöÚÙÛÜúùûüÇçÑñÝýÿ',
    'AAAAAAaaaaaaEEEEeeeeIIIIiiiiOOOOOoooooUUUUuuuuCcNnYyy'))
end;

-- Ids inside JSON are text, and nobody promises that they are ids.
create function mcp.uuid_or_null(value text) returns uuid
language sql immutable parallel safe strict
return case when value ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then value::uuid end;

-- Stages are told by name: folded, with _ for every other sign.
create function mcp.stage_key(name text) returns text
language sql immutable parallel safe strict
return trim(both '_' from regexp_replace(mcp.folded(name), '[^a-z0-9]+', '_', 'g'));

-- Seconds of [since, until) that lie inside the week's open spans, which are given in seconds of
-- local time since Monday 00:00. Day by day, so that a day on which clocks change has its own length.
create function mcp.open_seconds(since timestamptz, until timestamptz, time_zone text, opens integer[], closes integer[])
returns double precision
language sql stable parallel safe
return (
    select coalesce(sum(extract(epoch from least(until, moment.closes) - greatest(since, moment.opens))), 0)
      from generate_series((since at time zone time_zone)::date::timestamp,
                           (until at time zone time_zone)::date::timestamp,
                           interval '1 day') as day
      join unnest(opens, closes) as span (opens, closes)
        on span.opens / 86400 = extract(isodow from day)::integer - 1
     cross join lateral (
           select (day + make_interval(secs => span.opens % 86400)) at time zone time_zone as opens,
                  (day + make_interval(secs => span.closes - span.opens / 86400 * 86400)) at time zone time_zone as closes
           ) moment
     where moment.opens < until
       and moment.closes > since);

create view mcp.settings with (security_barrier) as
select s.tenant_id,
       s.key,
       s.value
  from mcp_store.tenant_settings s
 where s.tenant_id = nullif(current_setting('mcp.tenant_id', true), '');

create view mcp.agents with (security_barrier) as
select a.id,
       a.name,
       a.type,
       a.status,
       coalesce(a.active, true) as active,
       a.user_id,
       (a.type = 'human' and coalesce(a.active, true)) as assignable,
       a.deleted_at is not null as deleted
  from public.agents a
 where a.tenant_id = nullif(current_setting('mcp.tenant_id', true), '');

create view mcp.pipelines with (security_barrier) as
select p.id,
       p.name,
       coalesce(p.active, true) as active,
       coalesce(p.position, 0) as position
  from public.pipelines p
 where p.tenant_id = nullif(current_setting('mcp.tenant_id', true), '')
   and p.deleted_at is null;

-- Outcome: by the tenant's own lists of names, else by names that CRMs use for it, which
-- count only on closed stages.
create view mcp.stages with (security_barrier) as
select s.id,
       s.pipeline_id,
       s.name,
       s.status_type as type,
       case
           when named.key = any (own.won) then 'won'
           when named.key = any (own.lost) then 'lost'
           when s.status_type <> 'closed' then null
           when own.won is null and named.key = any (array[
               'won', 'closed_won', 'ganho', 'ganha', 'ganhou', 'fechado', 'fechada', 'fechado_ganho',
               'negocio_fechado', 'vendido', 'vendida', 'venda', 'venda_fechada', 'venda_concluida',
               'venda_realizada', 'convertido', 'convertida', 'contrato_assinado', 'cliente']) then 'won'
           when own.lost is null and named.key = any (array[
               'lost', 'closed_lost', 'perdido', 'perdida', 'perdeu', 'fechado_perdido', 'venda_perdida',
               'negocio_perdido', 'cancelado', 'cancelada', 'desistiu', 'desistencia', 'descartado',
               'descartada', 'sem_interesse', 'desqualificado', 'disqualified', 'abandoned']) then 'lost'
       end as outcome,
       coalesce(s.position, 0) as position,
       coalesce(s.active, true) as active,
       s.deleted_at is not null as deleted
  from public.pipelines p
  join public.pipeline_statuses s on s.pipeline_id = p.id
 cross join lateral (select mcp.stage_key(s.name) as key) named
 cross join lateral (
       select (select array(select mcp.stage_key(n) from jsonb_array_elements_text(t.value) n)
                 from mcp_store.tenant_settings t
                where t.tenant_id = p.tenant_id
                  and t.key = 'won_stage_names'
                  and jsonb_typeof(t.value) = 'array') as won,
              (select array(select mcp.stage_key(n) from jsonb_array_elements_text(t.value) n)
                 from mcp_store.tenant_settings t
                where t.tenant_id = p.tenant_id
                  and t.key = 'lost_stage_names'
                  and jsonb_typeof(t.value) = 'array') as lost) own
 where p.tenant_id = nullif(current_setting('mcp.tenant_id', true), '');

create view mcp.stage_history with (security_barrier) as
select h.tenant_id,
       h.id,
       h.contact_id,
       h.pipeline_id,
       h.status_id as stage_id,
       h.entered_at,
       h.exited_at,
       h.duration as duration_seconds,
       h.notes,
       h.metadata,
       h.created_at,
       h.updated_at
  from public.contact_pipeline_statuses h
 where h.tenant_id = nullif(current_setting('mcp.tenant_id', true), '')
   and h.deleted_at is null
  with cascaded check option;
alter view mcp.stage_history alter column tenant_id set default nullif(current_setting('mcp.tenant_id', true), '');

create view mcp.qualifications with (security_barrier) as
select q.tenant_id,
       q.id,
       q.contact_id,
       q.status,
       q.reason,
       q.budget,
       q.authority,
       q.need,
       q.timeline,
       q.score,
       q.weights_version,
       q.decided_by,
       q.decided_at,
       q.superseded_at
  from mcp_store.qualifications q
 where q.tenant_id = nullif(current_setting('mcp.tenant_id', true), '')
  with cascaded check option;
alter view mcp.qualifications alter column tenant_id set default nullif(current_setting('mcp.tenant_id', true), '');

create view mcp.assignments with (security_barrier) as
select a.tenant_id,
       a.id,
       a.contact_id,
       a.agent_id,
       a.priority,
       a.notes,
       a.assigned_by,
       a.assigned_at,
       a.superseded_at
  from mcp_store.assignments a
 where a.tenant_id = nullif(current_setting('mcp.tenant_id', true), '')
  with cascaded check option;
alter view mcp.assignments alter column tenant_id set default nullif(current_setting('mcp.tenant_id', true), '');

-- Where the CRM keeps no custom fields, there is nothing to show, and nothing can be written.
do $$
begin
    if has_table_privilege('mcp_owner', to_regclass('public.contact_custom_fields'), 'select') then
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
    else
        create view mcp.custom_fields with (security_barrier) as
        select null::text as tenant_id,
               null::uuid as id,
               null::uuid as contact_id,
               null::text as field_key,
               null::text as field_type,
               null::jsonb as field_value,
               null::timestamptz as created_at,
               null::timestamptz as updated_at,
               null::timestamptz as deleted_at
         where false;
    end if;
end
$$;

-- The current decision on each contact that has one, wherever it was made: ours, else the CRM's, which
-- keeps it as a custom field, "true" or "false". The union stands one level deeper, for
-- PostgreSQL flattens one that is the whole view, and then the view is no barrier.
create view mcp.decisions with (security_barrier) as
select made.contact_id,
       made.status,
       made.decided_at
  from (select q.contact_id,
               q.status,
               q.decided_at
          from mcp_store.qualifications q
         where q.tenant_id = nullif(current_setting('mcp.tenant_id', true), '')
           and q.superseded_at is null
         union all
        select f.contact_id,
               case f.field_value #>> '{}' when 'true' then 'qualified' else 'unqualified' end,
               coalesce(f.updated_at, f.created_at)
          from mcp.custom_fields f
         where f.field_key = 'lead_qualified'
           and f.field_value #>> '{}' in ('true', 'false')
           and f.deleted_at is null
           and not exists (
               select
                 from mcp_store.qualifications q
                where q.contact_id = f.contact_id
                  and q.tenant_id = nullif(current_setting('mcp.tenant_id', true), '')
                  and q.superseded_at is null)) made;

-- A lead: not deleted and, where the tenant names a lead tag, bearing it.
-- Its decision and its owner are looked up only by queries that ask for them. The owner is
-- who it was assigned to, else the last agent listed in its latest conversation.
create view mcp.contacts with (security_barrier) as
select c.id,
       c.project_id,
       c.name,
       c.phone,
       c.email,
       c.version,
       c.source_channel,
       c.language,
       c.created_at,
       c.updated_at,
       c.last_interaction_at,
       case
           when (select t.value from mcp_store.tenant_settings t
                  where t.tenant_id = nullif(current_setting('mcp.tenant_id', true), '')
                    and t.key = 'lead_tag') is null then true
           else coalesce(c.tags @> (select jsonb_build_array(t.value) from mcp_store.tenant_settings t
                                     where t.tenant_id = nullif(current_setting('mcp.tenant_id', true), '')
                                       and t.key = 'lead_tag'), false)
       end as is_lead,
       coalesce((select d.status
                   from mcp.decisions d
                  where d.contact_id = c.id), 'undecided') as status,
       (select d.decided_at
          from mcp.decisions d
         where d.contact_id = c.id) as decided_at,
       coalesce((select a.agent_id
                   from mcp_store.assignments a
                  where a.contact_id = c.id
                    and a.tenant_id = c.tenant_id
                    and a.superseded_at is null),
                (select mcp.uuid_or_null(s.agent_ids ->> -1)
                   from public.sessions s
                  where s.contact_id = c.id
                    and s.tenant_id = c.tenant_id
                    and s.deleted_at is null
                  order by s.started_at desc, s.id desc
                  limit 1)) as owner_id
  from public.contacts c
 where c.tenant_id = nullif(current_setting('mcp.tenant_id', true), '')
   and c.deleted_at is null
  with cascaded check option;

create view mcp.sessions with (security_barrier) as
select s.id,
       s.contact_id,
       s.pipeline_id,
       s.started_at,
       s.ended_at,
       s.last_activity_at,
       coalesce(s.status, 'active') as status,
       coalesce(s.message_count, 0) as message_count,
       s.sentiment,
       coalesce(s.resolved, false) as resolved,
       coalesce(s.escalated, false) as escalated,
       s.agent_ids,
       s.agent_transfers,
       s.version,
       s.updated_at
  from public.sessions s
 where s.tenant_id = nullif(current_setting('mcp.tenant_id', true), '')
   and s.deleted_at is null
  with cascaded check option;

-- Who took part in a conversation, one row an agent: listed in it, in its assignment history,
-- or sender of a message by hand, under the agent's own id or that of its user.
create view mcp.session_agents with (security_barrier) as
with who as materialized (
    select a.id as agent_id,
           keys.key,
           keys.is_user
      from public.agents a
     cross join lateral (values (a.id, false), (a.user_id, true)) keys (key, is_user)
     where a.tenant_id = nullif(current_setting('mcp.tenant_id', true), '')
       and keys.key is not null)
select distinct
       s.id as session_id,
       s.contact_id,
       s.started_at,
       s.ended_at,
       coalesce(s.status, 'active') as status,
       who.agent_id
  from public.sessions s
 cross join lateral (
       select mcp.uuid_or_null(listed) as key,
              false as is_sender
         from jsonb_array_elements_text(case jsonb_typeof(s.agent_ids) when 'array' then s.agent_ids else '[]' end) listed
        union all
       select joined.agent_id,
              false
         from public.agent_sessions joined
        where joined.session_id = s.id
          and joined.deleted_at is null
        union all
       select m.agent_id,
              true
         from public.messages m
        where m.session_id = s.id
          and m.tenant_id = s.tenant_id
          and m.from_me is true
          and m.source = 'manual'
          and m.deleted_at is null) took_part
  join who
    on who.key = took_part.key
   and (took_part.is_sender or not who.is_user)
 where s.tenant_id = nullif(current_setting('mcp.tenant_id', true), '')
   and s.deleted_at is null;

-- by_hand: a person typed it. agent_id is as the CRM keeps it: an agent's or its user's id.
create view mcp.messages with (security_barrier) as
select m.id,
       m.session_id,
       m.contact_id,
       m."timestamp" as sent_at,
       m.from_me is not true as inbound,
       (m.from_me is true and m.source = 'manual') as manual,
       m.agent_id,
       m.source,
       m.content_type,
       m.text
  from public.messages m
 where m.tenant_id = nullif(current_setting('mcp.tenant_id', true), '')
   and m.deleted_at is null;

-- The CRM keeps no ratings: there is none to show, of the types that there would be.
create view mcp.ratings with (security_barrier) as
select null::uuid as id,
       null::uuid as session_id,
       null::uuid as contact_id,
       null::smallint as rating,
       null::timestamptz as rated_at
 where false;

-- One row: what the tenant's CRM keeps at all. Custom fields are kept where they can be written.
create view mcp.sources with (security_barrier) as
select tenant.id is not null
       and (select true
              from public.contact_pipeline_statuses h
             where h.tenant_id = tenant.id
               and h.exited_at is null
               and h.deleted_at is null
             limit 1) is true as has_stage_history,
       false as has_ratings,
       pg_relation_is_updatable('mcp.custom_fields'::regclass, false) & 8 = 8 as keeps_custom_fields
  from (select nullif(current_setting('mcp.tenant_id', true), '') as id) tenant
 where tenant.id is not null;

create view mcp.timeline with (security_barrier) as
select e.tenant_id,
       e.id,
       e.contact_id,
       e.session_id,
       e.event_type,
       e.category,
       e.source,
       e.title,
       e.description,
       e.priority,
       e.payload,
       e.triggered_by,
       e.integration_source,
       e.visible_to_client,
       e.occurred_at,
       e.created_at
  from public.contact_events e
 where e.tenant_id = nullif(current_setting('mcp.tenant_id', true), '')
   and e.deleted_at is null
  with cascaded check option;
-- Reasons and notes are for colleagues.
alter view mcp.timeline alter column tenant_id set default nullif(current_setting('mcp.tenant_id', true), ''),
                        alter column visible_to_client set default false;

grant select on all tables in schema mcp to mcp_reader, mcp_writer;
revoke select on mcp.custom_fields from mcp_reader;
revoke all on all functions in schema mcp from public;
grant execute on all functions in schema mcp to mcp_reader, mcp_writer;
-- Never tenant_id nor id: "insert … on conflict do update" would take over another tenant's row by
-- naming its key, because the check option judges only the row as it is in the end.
grant insert (contact_id, status, reason, budget, authority, need, timeline, score, weights_version, decided_by, decided_at),
      update (superseded_at)
   on mcp.qualifications to mcp_writer;
grant insert (contact_id, agent_id, priority, notes, assigned_by, assigned_at),
      update (superseded_at)
   on mcp.assignments to mcp_writer;

-- What tools that write need.
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
