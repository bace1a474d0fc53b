-- Per agent, and for the team in the row without an agent: what became of the contacts they talked to.
--
-- $1 start        timestamptz  conversations started from here …
-- $2 end          timestamptz  … to before here
-- $3 window_days  int          how long after its first conversation a win still counts, in days of 24 h
-- $4 now          timestamptz
-- $5 agent_ids    uuid[]       null: every agent but system and virtual ones
--
-- A contact's clock starts (since) at its first conversation of the period in which the agent
-- took part. Conversations by a range of sessions_tenant_started_idx, their agents by
-- agent_sessions_session_idx and messages_session_idx; each contact once by primary key and its
-- stages by contact_pipeline_statuses_contact_idx; nothing is scanned whole.
with counted as materialized (
    select a.id
      from mcp.agents a
     where a.type not in ('system', 'virtual')
       and not a.deleted
       and ($5::uuid[] is null or a.id = any ($5))
),
cohort as materialized (
    select sa.agent_id,
           sa.contact_id,
           min(sa.started_at) as since
      from mcp.session_agents sa
     where sa.started_at >= $1::timestamptz
       and sa.started_at < $2::timestamptz
       and sa.started_at <= $4::timestamptz
       and sa.agent_id in (select c.id from counted c)
     group by grouping sets ((sa.agent_id, sa.contact_id), (sa.contact_id))
),
closing as materialized (
    select coalesce(array_agg(s.id) filter (where s.outcome = 'won'), '{}') as won,
           coalesce(array_agg(s.id) filter (where s.outcome = 'lost'), '{}') as lost
      from mcp.stages s
),
-- First won, last lost, last moved to any other stage than a lost one.
known as materialized (
    select team.contact_id,
           contact.status,
           moves.won_at,
           moves.lost_at,
           moves.kept_at
      from cohort team
     cross join lateral (
           select c.status
             from mcp.contacts c
            where c.id = team.contact_id
            limit 1) contact
     cross join lateral (
           select min(h.entered_at) filter (where h.stage_id = any ((select won from closing)::uuid[])) as won_at,
                  max(h.entered_at) filter (where h.stage_id = any ((select lost from closing)::uuid[])) as lost_at,
                  max(h.entered_at) filter (where h.stage_id <> all ((select lost from closing)::uuid[])) as kept_at
             from mcp.stage_history h
            where h.contact_id = team.contact_id
              and h.entered_at <= $4) moves
     where team.agent_id is null
),
judged as materialized (
    select cohort.agent_id,
           cohort.contact_id,
           cohort.since,
           term.until,
           known.status,
           known.won_at,
           case
               when known.won_at < cohort.since then 'already won'
               when known.won_at < term.until then 'won'
               when known.lost_at is null or known.lost_at < cohort.since then 'open'
               -- The last move of all was the last within the window, unless it came after it: only then,
               -- or where two came at the same moment, the history is read again.
               when greatest(known.lost_at, known.kept_at) < term.until and known.lost_at is distinct from known.kept_at then
                   case when known.kept_at > known.lost_at then 'open' else 'lost' end
               when (select h.stage_id = any ((select lost from closing)::uuid[])
                       from mcp.stage_history h
                      where h.contact_id = cohort.contact_id
                        and h.entered_at >= cohort.since
                        and h.entered_at < term.until
                        and h.entered_at <= $4
                      order by h.entered_at desc, h.id desc
                      limit 1) then 'lost'
               else 'open'
           end as outcome
      from cohort
      join known on known.contact_id = cohort.contact_id
     cross join lateral (select cohort.since + make_interval(secs => 86400 * $3::int) as until) term
)
select j.agent_id,
       count(*) filter (where j.outcome <> 'already won') as total_contacts,
       count(*) filter (where j.outcome = 'already won') as already_won,
       count(*) filter (where j.outcome <> 'already won' and j.status = 'qualified') as qualified,
       count(*) filter (where j.outcome = 'won') as conversions,
       count(*) filter (where j.outcome = 'lost') as lost,
       count(*) filter (where j.outcome <> 'already won' and j.until > $4) as immature,
       avg(extract(epoch from j.won_at - j.since)::double precision) filter (where j.outcome = 'won') as avg_seconds,
       percentile_cont(0.5) within group (order by extract(epoch from j.won_at - j.since)::double precision)
           filter (where j.outcome = 'won') as median_seconds,
       case when j.agent_id is null then (
           select count(*)
             from (select o.contact_id
                     from judged o
                    where o.agent_id is not null
                    group by o.contact_id
                   having count(*) > 1) shared) end as shared_contacts
  from judged j
 group by j.agent_id
 order by j.agent_id nulls last
