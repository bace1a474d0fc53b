-- The columns and the function by which our own CRM reads less, asked of the CRM's rows.

set local role mcp_owner;

drop function mcp.journeys_between(timestamptz, timestamptz);

-- What follows from the conversations of a period with contacts, one row for each agent of a conversation that figures
-- can be about; that of a conversation's only agent is the team's too, the team's has no agent where there are several.
-- Only the first of each with a contact, and those by which the contact became one of several agents.
--
-- agent_previous_at  start of the agent's conversation before it with the contact, since the period's start
-- is_team            the row stands for the team's conversation (too)
-- team_previous_at   of these: start of the conversation before it of any agent with the contact, since the period's start
-- shared_at          of these: the latest moment of the period so that two agents have met the contact since then
-- shared_before      the same as of the team's conversation before
-- won_at             the contact's first entry into a won stage; first_lost_at, lost_at: the first and the last into a
--                    lost one; kept_at: the last into any other than a lost one
--
-- The history of each contact is looked up once, by lateral references, which reach beneath a barrier.
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
),
talks as materialized (
    select sa.contact_id,
           sa.session_id,
           sa.started_at,
           sa.agent_id,
           lag(sa.started_at) over (partition by sa.contact_id, sa.agent_id
                                    order by sa.started_at, sa.session_id) as previous_at,
           case when count(*) over (partition by sa.session_id) = 1 then sa.session_id end as alone_in
      from mcp.session_agents sa
     where sa.started_at >= $1
       and sa.started_at < $2
       and sa.agent_id in (select c.id from counting c)
),
sittings as (
    select t.contact_id,
           t.session_id,
           t.started_at,
           array_agg(t.agent_id order by t.agent_id) as agents
      from talks t
     group by t.contact_id,
              t.session_id,
              t.started_at
),
turns as (
    select s.contact_id,
           s.session_id,
           s.started_at,
           lag(s.started_at) over earlier as previous_at,
           case
               when cardinality(s.agents) > 1 then s.started_at
               when s.agents <> lag(s.agents) over earlier then lag(s.started_at) over earlier
           end as apart_at
      from sittings s
    window earlier as (partition by s.contact_id order by s.started_at, s.session_id)
),
teams as (
    select t.contact_id,
           t.session_id,
           t.started_at,
           t.previous_at,
           max(t.apart_at) over (partition by t.contact_id order by t.started_at, t.session_id) as shared_at,
           max(t.apart_at) over (partition by t.contact_id order by t.started_at, t.session_id
                                 rows between unbounded preceding and 1 preceding) as shared_before
      from turns t
),
met as (
    select coalesce(t.contact_id, team.contact_id) as contact_id,
           t.agent_id,
           coalesce(t.started_at, team.started_at) as started_at,
           t.previous_at as agent_previous_at,
           team.session_id is not null as is_team,
           team.previous_at as team_previous_at,
           team.shared_at,
           team.shared_before
      from talks t
      full join teams team on team.session_id = t.alone_in
),
known as materialized (
    select team.contact_id,
           contact.qualified,
           moves.won_at,
           moves.first_lost_at,
           moves.lost_at,
           moves.kept_at
      from (select distinct t.contact_id from talks t) team
     cross join lateral (
           select c.status = 'qualified' as qualified
             from mcp.contacts c
            where c.id = team.contact_id
            limit 1) contact
     cross join lateral (
           select min(h.entered_at) filter (where h.stage_id = any ((select won from closing)::uuid[])) as won_at,
                  min(h.entered_at) filter (where h.stage_id = any ((select lost from closing)::uuid[])) as first_lost_at,
                  max(h.entered_at) filter (where h.stage_id = any ((select lost from closing)::uuid[])) as lost_at,
                  max(h.entered_at) filter (where h.stage_id <> all ((select lost from closing)::uuid[])) as kept_at
             from mcp.stage_history h
            where h.contact_id = team.contact_id) moves
)
select met.contact_id,
       met.agent_id,
       met.started_at,
       met.agent_previous_at,
       met.is_team,
       met.team_previous_at,
       met.shared_at,
       met.shared_before,
       known.qualified,
       known.won_at,
       known.first_lost_at,
       known.lost_at,
       known.kept_at
  from met
  join known on known.contact_id = met.contact_id
 where (met.agent_id is not null and met.agent_previous_at is null)
    or (met.is_team and met.team_previous_at is null)
    or (met.shared_at is not null and met.shared_before is null)
$$;

-- What mcp.leads_between says of a period, in one row.
create function mcp.lead_sums(period_start timestamptz, period_end timestamptz)
returns table (leads bigint,
               qualified bigint,
               unqualified bigint,
               opportunities bigint,
               decided bigint)
language sql stable parallel safe as $$
select coalesce(sum(l.leads), 0)::bigint,
       coalesce(sum(l.qualified), 0)::bigint,
       coalesce(sum(l.unqualified), 0)::bigint,
       coalesce(sum(l.opportunities), 0)::bigint,
       coalesce(sum(l.decided), 0)::bigint
  from mcp.leads_between($1, $2) l
$$;

revoke all on function mcp.journeys_between(timestamptz, timestamptz), mcp.lead_sums(timestamptz, timestamptz) from public;
grant execute on function mcp.journeys_between(timestamptz, timestamptz), mcp.lead_sums(timestamptz, timestamptz)
   to mcp_reader, mcp_writer;

reset role;
