-- Per agent, and for the team in the row without an agent: what became of the contacts they talked to.
--
-- $1 start        timestamptz  conversations started from here …
-- $2 end          timestamptz  … to before here
-- $3 window_days  int          how long after its first conversation a win still counts, in days of 24 h
-- $4 now          timestamptz
-- $5 agent_ids    uuid[]       null: every agent but system and virtual ones
--
-- A contact's clock starts (since) at its first conversation of the period in which the agent
-- took part. Conversations by a range of sessions_tenant_started_idx, their agents by session,
-- the contacts' stages by contact_pipeline_statuses_contact_idx; nothing is scanned whole.
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
known as materialized (
    select team.contact_id,
           contact.status,
           won.at as won_at
      from cohort team
     cross join lateral (
           select c.status
             from mcp.contacts c
            where c.id = team.contact_id
            limit 1) contact
     cross join lateral (
           select min(h.entered_at) as at
             from mcp.stage_history h
            where h.contact_id = team.contact_id
              and h.entered_at <= $4
              and h.stage_id = any (array(select s.id from mcp.stages s where s.outcome = 'won'))) won
     where team.agent_id is null
),
judged as materialized (
    select cohort.agent_id,
           cohort.contact_id,
           cohort.since,
           known.status,
           known.won_at,
           coalesce(known.won_at < cohort.since, false) as already_won,
           coalesce(known.won_at >= cohort.since and known.won_at < cohort.since + make_interval(secs => 86400 * $3::int), false)
               as converted,
           coalesce(latest.stage_id = any (array(select s.id from mcp.stages s where s.outcome = 'lost')), false)
               as ended_lost
      from cohort
      join known on known.contact_id = cohort.contact_id
      left join lateral (
           select h.stage_id
             from mcp.stage_history h
            where h.contact_id = cohort.contact_id
              and h.entered_at >= cohort.since
              and h.entered_at < cohort.since + make_interval(secs => 86400 * $3)
              and h.entered_at <= $4
            order by h.entered_at desc, h.id desc
            limit 1) latest on true
)
select j.agent_id,
       count(*) filter (where not j.already_won) as total_contacts,
       count(*) filter (where j.already_won) as already_won,
       count(*) filter (where not j.already_won and j.status = 'qualified') as qualified,
       count(*) filter (where j.converted) as conversions,
       count(*) filter (where not j.already_won and not j.converted and j.ended_lost) as lost,
       count(*) filter (where not j.already_won and j.since + make_interval(secs => 86400 * $3) > $4) as immature,
       avg(extract(epoch from j.won_at - j.since)::double precision) filter (where j.converted) as avg_seconds,
       percentile_cont(0.5) within group (order by extract(epoch from j.won_at - j.since)::double precision)
           filter (where j.converted) as median_seconds,
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
