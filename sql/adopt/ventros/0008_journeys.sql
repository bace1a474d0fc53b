-- What follows from conversations, how customers waited, and how many leads there are, asked of the CRM's rows.
--
-- Our own CRM keeps these as facts beside its rows and answers the same from them; here there are no such tables and no
-- triggers on somebody else's. The functions see as much as their caller may see: they only save queries the text, and
-- PostgreSQL puts it in the place of the call.

set local role mcp_owner;

-- What follows from the conversations of a period with contacts, one row for each agent of a conversation that figures
-- can be about, and one without an agent for the team; only the first of each with a contact, and those by which the
-- contact became one of several agents.
--
-- previous_at    start of the conversation before it of the same agent, or of any, with the contact, since the period's
--                start
-- shared_at      of the team's rows: the latest moment of the period so that two agents have met the contact since then
-- shared_before  the same as of the team's conversation before
-- won_at         the contact's first entry into a won stage; first_lost_at, lost_at: the first and the last into a lost
--                one; kept_at: the last into any other than a lost one
--
-- The history of each contact is looked up once, by lateral references, which reach beneath a barrier.
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
           sa.agent_id
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
met as (
    select t.contact_id,
           t.agent_id,
           t.started_at,
           lag(t.started_at) over (partition by t.contact_id, t.agent_id
                                   order by t.started_at, t.session_id) as previous_at,
           null::timestamptz as shared_at,
           null::timestamptz as shared_before
      from talks t
     union all
    select t.contact_id,
           null,
           t.started_at,
           t.previous_at,
           max(t.apart_at) over (partition by t.contact_id order by t.started_at, t.session_id),
           max(t.apart_at) over (partition by t.contact_id order by t.started_at, t.session_id
                                 rows between unbounded preceding and 1 preceding)
      from turns t
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
       met.previous_at,
       met.shared_at,
       met.shared_before,
       known.qualified,
       known.won_at,
       known.first_lost_at,
       known.lost_at,
       known.kept_at
  from met
  join known on known.contact_id = met.contact_id
 where met.previous_at is null
    or (met.shared_at is not null and met.shared_before is null)
$$;

-- How customers waited for a person, the waits that began in a period. Within a conversation, in order of time: a wait
-- begins with the first unanswered message of the customer and ends with the next message that a human sent by hand.
-- Who sent by hand and is known to be no human (an AI, a bot) stops no clock; an unknown sender does. agent_id: who
-- ended it, where that is a human of the tenant; from_opening: it began with the conversation's first message.
create function mcp.waits_between(period_start timestamptz, period_end timestamptz)
returns table (contact_id uuid,
               agent_id uuid,
               since timestamptz,
               until timestamptz,
               microseconds bigint,
               from_opening boolean)
language sql stable parallel safe as $$
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
),
conversations as materialized (
    select asked.session_id,
           kept.contact_id
      from (select distinct m.session_id
              from mcp.messages m
             where m.inbound
               and m.sent_at >= $1
               and m.sent_at < $2
               and m.session_id is not null) asked
     cross join lateral (
           select s.contact_id
             from mcp.sessions s
            where s.id = asked.session_id
            limit 1) kept
),
spoken as (
    select c.session_id,
           c.contact_id,
           m.id,
           m.sent_at,
           m.inbound,
           m.manual and (sender.key is null or sender.type = 'human') as by_hand,
           case when sender.type = 'human' and not sender.deleted then sender.agent_id end as agent_id,
           row_number() over (partition by c.session_id order by m.sent_at, m.id) = 1 as opening
      from conversations c
     cross join lateral (
           select o.id,
                  o.sent_at,
                  o.inbound,
                  o.manual,
                  o.agent_id
             from mcp.messages o
            where o.session_id = c.session_id
           offset 0) m
      left join senders sender on sender.key = m.agent_id
),
turns as (
    select s.session_id,
           s.contact_id,
           s.sent_at,
           s.inbound,
           s.agent_id,
           s.opening,
           count(*) filter (where not s.inbound) over (
               partition by s.session_id
               order by s.sent_at, s.id
               rows between unbounded preceding and 1 preceding) as answers_before
      from spoken s
     where s.inbound
        or s.by_hand
),
waits as (
    select t.contact_id,
           min(t.sent_at) filter (where t.inbound) as since,
           min(t.sent_at) filter (where not t.inbound) as until,
           (array_agg(t.agent_id) filter (where not t.inbound))[1] as agent_id,
           bool_or(t.opening) as from_opening
      from turns t
     group by t.session_id, t.contact_id, t.answers_before
)
select w.contact_id,
       w.agent_id,
       w.since,
       w.until,
       round(extract(epoch from w.until - w.since) * 1000000)::bigint,
       w.from_opening
  from waits w
 where w.since >= $1
   and w.since < $2
$$;

-- Leads created and leads qualified in a period, as sums by moments: one row stands for as many as it says, here one.
create function mcp.leads_between(period_start timestamptz, period_end timestamptz)
returns table (at timestamptz,
               leads integer,
               qualified integer,
               unqualified integer,
               opportunities integer,
               decided integer)
language sql stable parallel safe as $$
select c.created_at,
       1,
       (c.status = 'qualified')::integer,
       (c.status = 'unqualified')::integer,
       exists (select
                 from mcp.stage_history h
                where h.contact_id = c.id
                  and h.exited_at is null
                  and h.stage_id = any (array(select s.id from mcp.stages s where s.type = 'active')))::integer,
       0
  from mcp.contacts c
 where c.is_lead
   and c.created_at >= $1
   and c.created_at < $2
 union all
select d.decided_at,
       0,
       0,
       0,
       0,
       1
  from mcp.decisions d
 cross join lateral (
       select c.id
         from mcp.contacts c
        where c.id = d.contact_id
          and c.is_lead
        limit 1) lead
 where d.status = 'qualified'
   and d.decided_at >= $1
   and d.decided_at < $2
$$;

revoke all on function mcp.journeys_between(timestamptz, timestamptz), mcp.waits_between(timestamptz, timestamptz),
                       mcp.leads_between(timestamptz, timestamptz)
  from public;
grant execute on function mcp.journeys_between(timestamptz, timestamptz), mcp.waits_between(timestamptz, timestamptz),
                          mcp.leads_between(timestamptz, timestamptz)
   to mcp_reader, mcp_writer;

reset role;
