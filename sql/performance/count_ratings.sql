-- Ratings given in a period, and how many of them were 4 or 5, per human who wrote last before the rating.
--
-- $1 start  timestamptz
-- $2 end    timestamptz  exclusive
-- $3 now    timestamptz
--
-- Ratings by a range of session_ratings_tenant_idx, the last human of each by messages_session_idx.
with humans as materialized (
    select a.id as agent_id,
           a.user_id
      from mcp.agents a
     where a.type = 'human'
       and not a.deleted
),
counted as (
    select r.session_id,
           r.rating,
           r.rated_at as until
      from mcp.ratings r
     cross join lateral (
           select s.id
             from mcp.sessions s
            where s.id = r.session_id
            limit 1) kept
     where r.rated_at >= $1::timestamptz
       and r.rated_at < $2::timestamptz
       and r.rated_at <= $3::timestamptz
)
select h.agent_id,
       count(*) filter (where counted.rating >= 4) as successes,
       count(*) as n
  from counted
 cross join lateral (
       select m.agent_id
         from mcp.messages m
        where m.session_id = counted.session_id
          and m.manual
          and m.sent_at <= counted.until
          and m.agent_id = any (array(select h.agent_id from humans h union select h.user_id from humans h))
        order by m.sent_at desc, m.id desc
        limit 1) sender
 cross join lateral (
       select h.agent_id
         from humans h
        where h.agent_id = sender.agent_id
           or h.user_id = sender.agent_id
        order by h.agent_id <> sender.agent_id, h.agent_id
        limit 1) h
 group by h.agent_id
 order by h.agent_id
