-- Per agent, and for the team in the row without an agent: what became of the contacts they talked to.
--
-- $1 start        timestamptz  conversations started from here …
-- $2 end          timestamptz  … to before here
-- $3 window_days  int          how long after its first conversation a win still counts, in days of 24 h
-- $4 now          timestamptz
-- $5 agent_ids    uuid[]       null: every agent but system and virtual ones
--
-- A contact's clock starts at its first conversation of the period in which the agent took part: the one whose previous
-- one lies before it, so nothing is grouped by contact but where agents are chosen. One range of
-- fact_journeys_started_idx, read once: most rows are the agent's and the team's, and each is judged once for both. What
-- came after now is not known: of firsts it is enough to look whether they did, of lasts the history says what was the
-- last before.
with chosen as (
    select j.agent_id,
           j.contact_id,
           j.started_at,
           j.qualified,
           j.won_at,
           j.first_lost_at,
           j.lost_at,
           j.kept_at,
           row_number() over of_contact = 1 as is_first,
           lead(j.agent_id) over of_contact is not null as goes_on
      from mcp.journeys_between($1::timestamptz, $2::timestamptz) j
     where $5::uuid[] is not null
       and j.agent_id = any ($5)
       and j.started_at <= $4::timestamptz
       and (j.agent_previous_at is null or j.agent_previous_at < $1)
    window of_contact as (partition by j.contact_id order by j.started_at)
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
           j.agent_id is not null and (j.agent_previous_at is null or j.agent_previous_at < $1) as is_agents,
           j.is_team and (j.team_previous_at is null or j.team_previous_at < $1) as is_teams,
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
           c.is_first,
           c.is_first and c.goes_on
      from chosen c
),
judged as (
    select met.agent_id,
           met.contact_id,
           met.since,
           met.is_agents,
           met.is_teams,
           met.is_shared,
           met.qualified,
           case
               when met.won_at < met.since then 'already won'
               when met.won_at <= $4 and met.won_at < term.until then 'won'
               when met.lost_at is null
                 or met.lost_at < met.since
                 or met.first_lost_at > $4
                 or met.first_lost_at >= term.until then 'open'
               -- The last move of all was the last within the window, unless it came after it or after now, or two
               -- came at the same moment: then the history has to be read.
               when greatest(met.lost_at, met.kept_at) > $4
                 or greatest(met.lost_at, met.kept_at) >= term.until
                 or met.lost_at = met.kept_at then 'unsure'
               when met.kept_at > met.lost_at then 'open'
               else 'lost'
           end as outcome,
           term.until > $4 as is_immature,
           met.won_at - met.since as taken,
           -- Can be hashed, not sorted. PostgreSQL expects few rows and would sort all there are before the grouping, or not,
           -- depending on whom it planned for.
           '0'::xid as unsortable
      from met
     cross join lateral (select met.since + (select make_interval(secs => 86400 * $3::int)) as until) term
     where met.is_agents
        or met.is_teams
        or met.is_shared
     -- Else each use of an outcome would judge anew.
    offset 0
),
-- A contact whose history has to be read makes a group by itself, so that it is read after the counting, once.
counted as (
    select j.agent_id,
           j.outcome,
           case when j.outcome = 'unsure' then j.contact_id end as contact_id,
           case when j.outcome = 'unsure' then j.since end as since,
           count(*) filter (where j.is_agents) as agents,
           count(*) filter (where j.is_agents and j.qualified) as agents_qualified,
           count(*) filter (where j.is_agents and j.is_immature) as agents_immature,
           array_agg(date_part('epoch', j.taken)) filter (where j.is_agents and j.taken is not null) as agents_taken,
           count(*) filter (where j.is_teams) as teams,
           count(*) filter (where j.is_teams and j.qualified) as teams_qualified,
           count(*) filter (where j.is_teams and j.is_immature) as teams_immature,
           array_agg(date_part('epoch', j.taken)) filter (where j.is_teams and j.taken is not null) as teams_taken,
           count(*) filter (where j.is_shared) as shared
      from judged j
     group by j.unsortable,
              j.agent_id,
              j.outcome,
              case when j.outcome = 'unsure' then j.contact_id end,
              case when j.outcome = 'unsure' then j.since end
),
told as materialized (
    select whose.agent_id,
           whose.n,
           whose.qualified,
           whose.immature,
           whose.shared,
           whose.taken,
           case
               when c.outcome <> 'unsure' then c.outcome
               when (select h.stage_id
                       from mcp.stage_history h
                      where h.contact_id = c.contact_id
                        and h.entered_at >= c.since
                        and h.entered_at < c.since + make_interval(secs => 86400 * $3)
                        and h.entered_at <= $4
                      order by h.entered_at desc, h.id desc
                      limit 1) = any (array(select s.id from mcp.stages s where s.outcome = 'lost')) then 'lost'
               else 'open'
           end as outcome
      from counted c
     cross join lateral (
           values (c.agent_id, c.agents, c.agents_qualified, c.agents_immature, null::bigint, c.agents_taken),
                  (null, c.teams, c.teams_qualified, c.teams_immature, c.shared, c.teams_taken)
           ) whose (agent_id, n, qualified, immature, shared, taken)
     where whose.n > 0
        or whose.shared > 0
)
select c.agent_id,
       c.total_contacts,
       c.already_won,
       c.qualified,
       c.conversions,
       c.lost,
       c.immature,
       wins.avg_seconds,
       wins.median_seconds,
       c.shared_contacts
  from (select t.agent_id,
               coalesce(sum(t.n) filter (where t.outcome <> 'already won'), 0)::bigint as total_contacts,
               coalesce(sum(t.n) filter (where t.outcome = 'already won'), 0)::bigint as already_won,
               coalesce(sum(t.qualified) filter (where t.outcome <> 'already won'), 0)::bigint as qualified,
               coalesce(sum(t.n) filter (where t.outcome = 'won'), 0)::bigint as conversions,
               coalesce(sum(t.n) filter (where t.outcome = 'lost'), 0)::bigint as lost,
               coalesce(sum(t.immature) filter (where t.outcome <> 'already won'), 0)::bigint as immature,
               sum(t.shared)::bigint as shared_contacts
          from told t
         group by t.agent_id) c
 cross join lateral (
       select avg(w.seconds) as avg_seconds,
              percentile_cont(0.5) within group (order by w.seconds) as median_seconds
         from told t
        cross join unnest(t.taken) w (seconds)
        where t.agent_id is not distinct from c.agent_id
          and t.outcome = 'won') wins
 -- Not by "nulls last": an order that a sort before the grouping gives for nothing, PostgreSQL takes, however many rows.
 order by c.agent_id is null,
          c.agent_id
