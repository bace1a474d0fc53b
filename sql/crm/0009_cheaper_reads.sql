-- Facts that are cheaper to read: for a small question a look at the marks costs more than its answer did.

-- These come back below, with other columns.
set local role mcp_owner;
drop view mcp.journeys, mcp.live_journeys;
drop function mcp.journeys_between(timestamptz, timestamptz), mcp.marked_journeys();
reset role;

truncate mcp_store.fact_journeys;
alter table mcp_store.fact_journeys rename column previous_at to agent_previous_at;
alter table mcp_store.fact_journeys
    add column is_team boolean not null,
    add column team_previous_at timestamptz;
drop index mcp_store.fact_journeys_started_idx;
create index fact_journeys_started_idx
    on mcp_store.fact_journeys (tenant_id, started_at)
       include (contact_id, is_team, qualified, agent_id, agent_previous_at, team_previous_at, shared_at, shared_before,
                won_at, first_lost_at, lost_at, kept_at);

set local role mcp_owner;

-- The marks of the transaction's tenant. Whether there are any is one step into an index, taken once for a statement;
-- without any, the views below ask nothing about marks.
create view mcp.marks with (security_barrier) as
select m.contact_id
  from mcp_store.fact_marks m
 where m.tenant_id = nullif(current_setting('mcp.tenant_id', true), '');

create or replace view mcp.waits with (security_barrier) as
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
           and ((select not exists (select from mcp.marks))
                or f.contact_id not in (select marked from mcp.marked_contacts() marked))
         union all
        select m.contact_id,
               m.agent_id,
               m.since,
               m.until,
               m.microseconds,
               m.from_opening
          from mcp.marked_waits() m
         where (select exists (select from mcp.marks))) found;

create or replace view mcp.leads with (security_barrier) as
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
           and ((select not exists (select from mcp.marks))
                or f.contact_id not in (select marked from mcp.marked_contacts() marked))
         union all
        select m.contact_id,
               m.created_at,
               m.status,
               m.decided_at,
               m.is_opportunity
          from mcp.marked_leads() m
         where (select exists (select from mcp.marks))) found;

create or replace view mcp.lead_slots with (security_barrier) as
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
          from mcp.marked_lead_slots() m
         where (select exists (select from mcp.marks))) found;

-- What mcp.leads_between says of a period, in one row. Where nobody of the tenant is marked, it reads the sums of whole
-- quarters of an hour and, where the period begins or ends within one, the leads there: a plan of a hundred nodes takes
-- longer to set up than these take to read.
create function mcp.lead_sums(period_start timestamptz, period_end timestamptz)
returns table (leads bigint,
               qualified bigint,
               unqualified bigint,
               opportunities bigint,
               decided bigint)
language plpgsql stable parallel safe security definer rows 1
set search_path = pg_catalog, pg_temp
-- Of a table of one tenant's marks PostgreSQL expects the first row to be of any tenant, and would read them all.
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
    tenant constant text := nullif(current_setting('mcp.tenant_id', true), '');
    origin constant timestamptz := '2000-01-01 00:00+00';
    first_slot constant timestamptz :=
        date_bin('15 minutes', period_start + interval '14 minutes 59.999999 seconds', origin);
    end_slot constant timestamptz := greatest(first_slot, date_bin('15 minutes', period_end, origin));
    edges record;
begin
    perform from mcp_store.fact_marks m where m.tenant_id = tenant limit 1;
    if found then
        return query
            select coalesce(sum(l.leads), 0)::bigint,
                   coalesce(sum(l.qualified), 0)::bigint,
                   coalesce(sum(l.unqualified), 0)::bigint,
                   coalesce(sum(l.opportunities), 0)::bigint,
                   coalesce(sum(l.decided), 0)::bigint
              from mcp.leads_between(period_start, period_end) l;
        return;
    end if;
    select coalesce(sum(s.leads), 0),
           coalesce(sum(s.qualified), 0),
           coalesce(sum(s.unqualified), 0),
           coalesce(sum(s.opportunities), 0),
           coalesce(sum(s.decided), 0)
      into leads, qualified, unqualified, opportunities, decided
      from mcp_store.fact_lead_slots s
     where s.tenant_id = tenant
       and s.slot >= first_slot
       and s.slot < end_slot;
    if period_start < first_slot or end_slot < period_end then
        select count(*) filter (where not l.by_decision) as leads,
               count(*) filter (where not l.by_decision and l.status = 'qualified') as qualified,
               count(*) filter (where not l.by_decision and l.status = 'unqualified') as unqualified,
               count(*) filter (where not l.by_decision and l.is_opportunity) as opportunities,
               count(*) filter (where l.by_decision) as decided
          into edges
          from (values (period_start, least(period_end, first_slot)), (end_slot, period_end)) edge (since, until)
         cross join lateral (
               select f.status, f.is_opportunity, false as by_decision
                 from mcp_store.fact_leads f
                where f.tenant_id = tenant
                  and f.created_at >= edge.since
                  and f.created_at < edge.until
                union all
               select f.status, false, true
                 from mcp_store.fact_leads f
                where f.tenant_id = tenant
                  and f.status = 'qualified'
                  and f.decided_at >= edge.since
                  and f.decided_at < edge.until) l;
        leads := leads + edges.leads;
        qualified := qualified + edges.qualified;
        unqualified := unqualified + edges.unqualified;
        opportunities := opportunities + edges.opportunities;
        decided := decided + edges.decided;
    end if;
    return next;
end
$$;

-- One row for the agent and the team where a conversation has only one agent, as most have; else one for each agent and
-- one without an agent for the team.
--
-- agent_previous_at  start of the agent's conversation before it with the contact: this one is the first of a period
--                    exactly if that lies before the period, or there is none
-- is_team            the row stands for the team's conversation (too): each conversation has one such row
-- team_previous_at   of these: start of the conversation before it of any agent with the contact
-- shared_at          of these: the latest moment so that two agents have met the contact since then
-- shared_before      the same as of the team's conversation before: where shared_at lies in a period and shared_before
--                    does not, it is this conversation by which the contact became one of several agents
-- won_at             the contact's first entry into a won stage; first_lost_at, lost_at: the first and the last into a
--                    lost one; kept_at: the last into any other than a lost one
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
       met.agent_previous_at,
       met.is_team,
       met.team_previous_at,
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
                  sa.agent_id,
                  lag(sa.started_at) over (partition by sa.agent_id order by sa.started_at, sa.session_id) as previous_at,
                  case when count(*) over (partition by sa.session_id) = 1 then sa.session_id end as alone_in
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
       ),
       teams as (
           select t.session_id,
                  t.started_at,
                  t.previous_at,
                  max(t.apart_at) over (order by t.started_at, t.session_id) as shared_at,
                  max(t.apart_at) over (order by t.started_at, t.session_id
                                        rows between unbounded preceding and 1 preceding) as shared_before
             from turns t
       )
       select t.agent_id,
              coalesce(t.started_at, team.started_at) as started_at,
              t.previous_at as agent_previous_at,
              team.session_id is not null as is_team,
              team.previous_at as team_previous_at,
              team.shared_at,
              team.shared_before
         from talks t
         full join teams team on team.session_id = t.alone_in) met
 where c.tenant_id = nullif(current_setting('mcp.tenant_id', true), '')
   and c.deleted_at is null;

create function mcp.marked_journeys()
returns table (contact_id uuid,
               agent_id uuid,
               started_at timestamptz,
               agent_previous_at timestamptz,
               is_team boolean,
               team_previous_at timestamptz,
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
               live.agent_previous_at,
               live.is_team,
               live.team_previous_at,
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
                      l.agent_previous_at,
                      l.is_team,
                      l.team_previous_at,
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
       found.agent_previous_at,
       found.is_team,
       found.team_previous_at,
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
               f.agent_previous_at,
               f.is_team,
               f.team_previous_at,
               f.shared_at,
               f.shared_before,
               f.qualified,
               f.won_at,
               f.first_lost_at,
               f.lost_at,
               f.kept_at
          from mcp_store.fact_journeys f
         where f.tenant_id = nullif(current_setting('mcp.tenant_id', true), '')
           and ((select not exists (select from mcp.marks))
                or f.contact_id not in (select marked from mcp.marked_contacts() marked))
         union all
        select m.contact_id,
               m.agent_id,
               m.started_at,
               m.agent_previous_at,
               m.is_team,
               m.team_previous_at,
               m.shared_at,
               m.shared_before,
               m.qualified,
               m.won_at,
               m.first_lost_at,
               m.lost_at,
               m.kept_at
          from mcp.marked_journeys() m
         where (select exists (select from mcp.marks))) found;

create function mcp.journeys_between(period_start timestamptz, period_end timestamptz)
returns table (contact_id uuid,
               agent_id uuid,
               started_at timestamptz,
               agent_previous_at timestamptz,
               is_team boolean,
               team_previous_at timestamptz,
               shared_at timestamptz,
               shared_before timestamptz,
               qualified boolean,
               won_at timestamptz,
               first_lost_at timestamptz,
               lost_at timestamptz,
               kept_at timestamptz)
language sql stable parallel safe as $$
select j.contact_id,
       j.agent_id,
       j.started_at,
       j.agent_previous_at,
       j.is_team,
       j.team_previous_at,
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

create or replace function mcp.make_facts(tenant text, contacts uuid[]) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
    delete from mcp_store.fact_keys f where f.tenant_id = tenant and f.contact_id = any (contacts);
    delete from mcp_store.fact_journeys f where f.tenant_id = tenant and f.contact_id = any (contacts);
    delete from mcp_store.fact_waits f where f.tenant_id = tenant and f.contact_id = any (contacts);
    insert into mcp_store.fact_keys (tenant_id, contact_id, keys)
    select tenant, c.id, live.keys
      from unnest(contacts) c (id)
     cross join lateral (select l.keys from mcp.live_keys l where l.contact_id = c.id offset 0) live;
    insert into mcp_store.fact_journeys (tenant_id, contact_id, agent_id, started_at, agent_previous_at, is_team,
                                         team_previous_at, shared_at, shared_before, qualified, won_at, first_lost_at,
                                         lost_at, kept_at)
    select tenant, c.id, live.agent_id, live.started_at, live.agent_previous_at, live.is_team,
           live.team_previous_at, live.shared_at, live.shared_before, live.qualified, live.won_at, live.first_lost_at,
           live.lost_at, live.kept_at
      from unnest(contacts) c (id)
     cross join lateral (
           select l.agent_id, l.started_at, l.agent_previous_at, l.is_team,
                  l.team_previous_at, l.shared_at, l.shared_before, l.qualified, l.won_at, l.first_lost_at,
                  l.lost_at, l.kept_at
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

-- In the order in which contacts came: what is made together then lies together, in the same pages and the same quarters of
-- an hour, and takes a sixth of the time.
create or replace function mcp.unfold_mark() returns boolean
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
                 union select k.contact_id from mcp_store.fact_keys k where k.tenant_id = mark.tenant_id) everybody
          left join public.contacts c on c.id = everybody.id
         order by c.created_at;
    else
        insert into mcp_store.fact_marks (tenant_id, contact_id)
        select mark.tenant_id, k.contact_id
          from mcp_store.fact_keys k
          left join public.contacts c on c.id = k.contact_id
         where k.keys @> array[mark.key]
           and k.tenant_id = mark.tenant_id
         order by c.created_at;
    end if;
    return true;
end
$$;

revoke all on function mcp.lead_sums(timestamptz, timestamptz), mcp.marked_journeys(),
                       mcp.journeys_between(timestamptz, timestamptz)
  from public;
grant execute on function mcp.lead_sums(timestamptz, timestamptz), mcp.marked_journeys(),
                          mcp.journeys_between(timestamptz, timestamptz)
   to mcp_reader, mcp_writer;
grant select on mcp.journeys, mcp.live_journeys to mcp_reader, mcp_writer;

reset role;

-- Rows that were there before.
insert into mcp_store.fact_marks (tenant_id)
select c.tenant_id from public.contacts c
 union
select s.tenant_id from public.sessions s;
