-- What the contacts were that each agent met: by the channel they came by, and by pipeline.
--
-- $1 start      timestamptz  conversations started from here …
-- $2 end        timestamptz  … to before here
-- $3 now        timestamptz
-- $4 agent_ids  uuid[]       null: every agent
--
-- A contact counts once for an agent, in the pipeline of its first conversation of the period with it. Only the
-- ten most frequent channels and pipelines of all the agents together stand apart; the rest is one row, is_other, and
-- contacts of whom nothing is known another, both without key. Conversations by a range of sessions_tenant_started_idx, contacts
-- and first conversations by primary key.
with met as materialized (
    select sa.agent_id,
           sa.contact_id,
           (array_agg(sa.session_id order by sa.started_at, sa.session_id))[1] as session_id
      from mcp.session_agents sa
     where sa.started_at >= $1::timestamptz
       and sa.started_at < $2::timestamptz
       and sa.started_at <= $3::timestamptz
       and ($4::uuid[] is null or sa.agent_id = any ($4))
     group by sa.agent_id,
              sa.contact_id
),
cases as materialized (
    select met.agent_id,
           contact.channel,
           pipeline.id as pipeline_id,
           pipeline.name as pipeline_name
      from met
     cross join lateral (
           select nullif(lower(trim(left(c.source_channel, 100))), '') as channel
             from mcp.contacts c
            where c.id = met.contact_id
            limit 1) contact
     cross join lateral (
           select s.pipeline_id
             from mcp.sessions s
            where s.id = met.session_id
            limit 1) conversation
      left join mcp.pipelines pipeline on pipeline.id = conversation.pipeline_id
),
counted as materialized (
    select 'channel' as kind,
           c.channel as key,
           c.channel as name,
           c.agent_id,
           count(*) as n
      from cases c
     group by c.agent_id,
              c.channel
     union all
    select 'pipeline',
           c.pipeline_id::text,
           c.pipeline_name,
           c.agent_id,
           count(*)
      from cases c
     group by c.agent_id,
              c.pipeline_id,
              c.pipeline_name
),
ordered as (
    select c.kind,
           c.key,
           min(c.name) as name,
           row_number() over (partition by c.kind order by sum(c.n) desc, c.key) as place
      from counted c
     where c.key is not null
     group by c.kind,
              c.key
)
select c.agent_id,
       c.kind,
       top.key,
       top.name,
       top.key is null and c.key is not null as is_other,
       sum(c.n)::bigint as n
  from counted c
  left join ordered top
    on top.kind = c.kind
   and top.key = c.key
   and top.place <= 10
 group by c.agent_id,
          c.kind,
          top.key,
          top.name,
          is_other
 order by c.agent_id,
          c.kind,
          n desc,
          top.key,
          is_other
