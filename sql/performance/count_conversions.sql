-- Per agent, and for the team in the row without an agent: what became of the contacts they talked to.
--
-- $1 start        timestamptz  conversations started from here …
-- $2 end          timestamptz  … to before here
-- $3 window_days  int          how long after its first conversation a win still counts, in days of 24 h
-- $4 now          timestamptz
-- $5 agent_ids    uuid[]       null: every agent but system and virtual ones
--
-- A contact's clock starts (since) at its first conversation of the period in which the agent took part: the one
-- whose previous one lies before it, so nothing is grouped by contact but where agents are chosen. One range of
-- fact_journeys_started_idx, read once. What came after now is not known: of firsts it is enough to look whether
-- they did, of lasts the history says what was the last before.
with chosen as materialized (
    select j.agent_id,
           j.contact_id,
           j.started_at,
           j.qualified,
           j.won_at,
           j.first_lost_at,
           j.lost_at,
           j.kept_at
      from mcp.journeys_between($1::timestamptz, $2::timestamptz) j
     where $5::uuid[] is not null
       and j.agent_id = any ($5)
       and j.started_at <= $4::timestamptz
       and (j.previous_at is null or j.previous_at < $1)
),
met as (
    select j.agent_id,
           j.contact_id,
           j.started_at as since,
           j.qualified,
           j.won_at,
           j.first_lost_at,
           j.lost_at,
           j.kept_at,
           j.previous_at is null or j.previous_at < $1 as is_first,
           j.shared_at >= $1 and (j.shared_before is null or j.shared_before < $1) as is_shared
      from mcp.journeys_between($1, $2) j
     where $5 is null
       and j.started_at <= $4
     union all
    select c.agent_id,
           c.contact_id,
           c.started_at,
           c.qualified,
           c.won_at,
           c.first_lost_at,
           c.lost_at,
           c.kept_at,
           true,
           false
      from chosen c
     union all
    select null,
           team.contact_id,
           team.started_at,
           team.qualified,
           team.won_at,
           team.first_lost_at,
           team.lost_at,
           team.kept_at,
           true,
           team.agents > 1
      from (select distinct on (c.contact_id)
                   c.contact_id,
                   c.started_at,
                   c.qualified,
                   c.won_at,
                   c.first_lost_at,
                   c.lost_at,
                   c.kept_at,
                   count(*) over (partition by c.contact_id) as agents
              from chosen c
             order by c.contact_id, c.started_at) team
),
judged as (
    select met.agent_id,
           met.contact_id,
           met.since,
           met.is_first,
           met.is_shared,
           met.qualified,
           met.won_at < met.since as was_won,
           met.won_at >= met.since and met.won_at <= $4 and met.won_at < term.until as is_won,
           -- Null where the history has to be read: the last move of all was the last within the window, unless it
           -- came after it or after now, or two came at the same moment.
           case
               when met.won_at <= $4 and met.won_at < term.until then false
               when met.lost_at is null
                 or met.lost_at < met.since
                 or met.first_lost_at > $4
                 or met.first_lost_at >= term.until then false
               when greatest(met.lost_at, met.kept_at) <= $4
                and greatest(met.lost_at, met.kept_at) < term.until
                and met.lost_at is distinct from met.kept_at then met.kept_at is null or met.kept_at < met.lost_at
           end as is_lost,
           term.until > $4 as is_immature,
           met.won_at - met.since as taken
      from met
     cross join lateral (select met.since + make_interval(secs => 86400 * $3::int) as until) term
     where met.is_first
        or met.is_shared
),
counted as (
    select j.agent_id,
           count(*) filter (where j.is_first and j.was_won is not true) as total_contacts,
           count(*) filter (where j.is_first and j.was_won) as already_won,
           count(*) filter (where j.is_first and j.was_won is not true and j.qualified) as qualified,
           count(*) filter (where j.is_first and j.is_won) as conversions,
           count(*) filter (where j.is_first and j.is_lost) as lost,
           count(*) filter (where j.is_first and j.was_won is not true and j.is_immature) as immature,
           count(*) filter (where j.is_shared) as shared_contacts,
           array_agg(j.taken) filter (where j.is_first and j.is_won) as taken,
           array_agg(j.contact_id) filter (where j.is_first and j.is_lost is null) as unsure,
           array_agg(j.since) filter (where j.is_first and j.is_lost is null) as unsure_since
      from judged j
     group by j.agent_id
)
select c.agent_id,
       c.total_contacts,
       c.already_won,
       c.qualified,
       c.conversions,
       c.lost + found.lost as lost,
       c.immature,
       wins.avg_seconds,
       wins.median_seconds,
       case when c.agent_id is null then c.shared_contacts end as shared_contacts
  from counted c
 cross join lateral (
       select avg(extract(epoch from w.taken)::double precision) as avg_seconds,
              percentile_cont(0.5) within group (order by extract(epoch from w.taken)::double precision) as median_seconds
         from unnest(c.taken) w (taken)) wins
 cross join lateral (
       select count(*) as lost
         from unnest(c.unsure, c.unsure_since) u (contact_id, since)
        cross join lateral (
              select h.stage_id
                from mcp.stage_history h
               where h.contact_id = u.contact_id
                 and h.entered_at >= u.since
                 and h.entered_at < u.since + make_interval(secs => 86400 * $3)
                 and h.entered_at <= $4
               order by h.entered_at desc, h.id desc
               limit 1) last
        where last.stage_id = any (array(select s.id from mcp.stages s where s.outcome = 'lost'))) found
 -- Not by "nulls last": an order that a sort before the grouping gives for nothing, PostgreSQL takes, however many rows.
 order by c.agent_id is null,
          c.agent_id
