-- A sample of an agent's own messages that stands for all of them, and what was asked before each.
--
-- $1 senders   uuid[]       the agent's id, and its user's
-- $2 sources   text[]       what counts as its own words
-- $3 start     timestamptz  first moment …
-- $4 end       timestamptz  … to before here
-- $5 length    int          characters from which there is something to judge
-- $6 size      int          how many at most
-- $7 seed      bigint       the same seed draws the same sample from the same messages
-- $8 time_zone text         whose days
-- $9 longest   int          characters kept of a text
--
-- Systematic: all eligible ones in order of day, conversation and chance, and of these every n-th,
-- beginning where the seed says. So each day and each conversation is there in proportion. They come in an
-- order of chance: where time ends before all are judged, those that are stand for the others.
-- By messages_agent_idx; the question of each drawn one backwards along messages_session_idx.
with eligible as materialized (
    select m.id,
           m.session_id,
           m.sent_at,
           row_number() over (
               order by (m.sent_at at time zone $8::text)::date,
                        m.session_id,
                        hashtextextended(m.id::text, $7::bigint),
                        m.id) - 1 as place,
           count(*) over () as total
      from mcp.messages m
     where m.agent_id = any($1::uuid[])
       and m.sent_at >= $3::timestamptz
       and m.sent_at < $4::timestamptz
       and not m.inbound
       and m.source = any($2::text[])
       and m.content_type = 'text'
       and char_length(btrim(m.text)) >= $5::int
),
drawn as (
    select e.id,
           e.session_id,
           e.sent_at
      from eligible e
     cross join (select ($7::bigint & 1023)::numeric / 1024 as begins) seed
     where e.total <= $6::int
        or floor((e.place + 1) * $6::numeric / e.total + seed.begins)
         > floor(e.place * $6::numeric / e.total + seed.begins)
)
select d.id as message_id,
       d.sent_at,
       left(said.text, $9::int) as text,
       left(asked.text, $9::int) as question
  from drawn d
 cross join lateral (
       select m.text
         from mcp.messages m
        where m.id = d.id
        limit 1) said
  left join lateral (
       select m.text
         from mcp.messages m
        where m.session_id = d.session_id
          and m.sent_at < d.sent_at
          and m.inbound
          and m.content_type = 'text'
        order by m.sent_at desc, m.id desc
        limit 1) asked on true
 order by hashtextextended(d.id::text, $7::bigint), d.id
