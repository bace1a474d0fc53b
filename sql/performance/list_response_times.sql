-- How long customers waited for a person, per agent who answered; the row without an agent has
-- the waits that nobody ended yet, and those ended by somebody who is no agent of the list.
--
-- $1 start      timestamptz  waits that began from here …
-- $2 end        timestamptz  … to before here
-- $3 now        timestamptz  what was said later is not known
-- $4 time_zone  text         of the business hours
-- $5 opens      int[]        business hours in seconds since Monday 00:00; empty: always open
-- $6 closes     int[]
--
-- Within a conversation, in order of time: a wait begins with the first unanswered message of
-- the customer and ends with the next message that a human sent by hand. Who sent by hand and
-- is known to be no human (an AI, a bot) stops no clock; an unknown sender does.
-- Conversations by a range of messages_inbound_idx, each in order by messages_session_idx.
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
    select asked.session_id
      from (select distinct m.session_id
              from mcp.messages m
             where m.inbound
               and m.sent_at >= $1::timestamptz
               and m.sent_at < $2::timestamptz
               and m.session_id is not null) asked
     cross join lateral (
           select s.id
             from mcp.sessions s
            where s.id = asked.session_id
            limit 1) kept
),
spoken as (
    select c.session_id,
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
              and o.sent_at <= $3::timestamptz
           offset 0) m
      left join senders sender on sender.key = m.agent_id
),
turns as (
    select s.session_id,
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
    select min(t.sent_at) filter (where t.inbound) as since,
           min(t.sent_at) filter (where not t.inbound) as until,
           (array_agg(t.agent_id) filter (where not t.inbound))[1] as agent_id,
           bool_or(t.opening) as from_opening
      from turns t
     group by t.session_id, t.answers_before
),
timed as materialized (
    select w.agent_id,
           w.until is null as unanswered,
           w.from_opening,
           case
               when cardinality($5::int[]) = 0 then extract(epoch from w.until - w.since)::double precision
               else mcp.open_seconds(w.since, w.until, $4::text, $5, $6::int[])
           end as seconds
      from waits w
     where w.since >= $1
       and w.since < $2
)
select t.agent_id,
       count(*) filter (where t.unanswered) as unanswered,
       array_agg(t.seconds order by t.seconds) filter (where not t.unanswered) as seconds,
       array_agg(t.seconds order by t.seconds) filter (where not t.unanswered and t.from_opening) as first_seconds
  from timed t
 group by t.agent_id
 order by t.agent_id nulls last
