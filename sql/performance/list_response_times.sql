-- How long customers waited for a person, per agent who answered; the row without an agent has
-- the waits that nobody ended, and those ended by somebody who is no agent of the list. Whose answer came after now
-- has it still among the unanswered ones.
--
-- $1 start      timestamptz  waits that began from here …
-- $2 end        timestamptz  … to before here
-- $3 now        timestamptz  what was said later is not known
-- $4 time_zone  text         of the business hours
-- $5 opens      int[]        business hours in seconds since Monday 00:00; empty: always open
-- $6 closes     int[]
--
-- Of the seconds in order, those are returned that a figure can need, mcp.response_places() says which; middle_at is the
-- first one's place in the order, from 1. Where days are counted, as a tenant of very many waits has them, and there are no
-- business hours, mcp.counted_response_times() finds them by their counts. Else all waits are sorted: one range of
-- fact_waits_since_idx. Each is measured once for all figures (hence the offset). contact_id is among what is read because
-- then the view's rows are those of the index, and need not be made anew one by one.
with source as materialized (
    select cardinality($5::int[]) = 0 and mcp.waits_are_counted($1::timestamptz, $2::timestamptz, $3::timestamptz) as is_counted
),
timed as (
    select w.agent_id,
           w.contact_id,
           w.from_opening,
           case
               when w.until is null or w.until > $3 then null
               when cardinality($5) = 0 then w.microseconds
               else round(mcp.open_seconds(w.since, w.until, $4::text, $5, $6::int[]) * 1000000)::bigint
           end as microseconds
      from mcp.waits_between($1, $2) w
     where w.since <= $3
       and not (select s.is_counted from source s)
    offset 0
),
collected as (
    select t.agent_id,
           count(t.contact_id) filter (where t.microseconds is null) as unanswered,
           array_agg(t.microseconds) filter (where t.microseconds is not null) as waits,
           array_agg(t.microseconds) filter (where t.microseconds is not null and t.from_opening) as first_waits
      from timed t
     group by t.agent_id
),
-- Whole numbers, because PostgreSQL sorts them in half the time.
sorted as (
    select c.agent_id,
           c.unanswered,
           coalesce(cardinality(c.waits), 0) as n,
           (select array_agg(w order by w) from unnest(c.waits) w) as waits,
           coalesce(cardinality(c.first_waits), 0) as first_n,
           (select array_agg(w order by w) from unnest(c.first_waits) w) as first_waits
      from collected c
    offset 0
),
told as (
    select s.agent_id,
           s.unanswered,
           s.n,
           place.middle_at,
           s.waits[place.middle_at:s.n + 1 - place.middle_at] as middle,
           place.upper_at,
           s.waits[place.upper_at:place.upper_at + 3] as upper,
           s.first_n,
           place.first_middle_at,
           s.first_waits[place.first_middle_at:s.first_n + 1 - place.first_middle_at] as first_middle
      from sorted s
     cross join lateral mcp.response_places(s.n, s.first_n) place
     union all
    select c.agent_id,
           c.unanswered,
           c.n,
           c.middle_at,
           c.middle,
           c.upper_at,
           c.upper,
           c.first_n,
           c.first_middle_at,
           c.first_middle
      from mcp.counted_response_times($1, $2, $3) c
     where (select s.is_counted from source s)
)
select t.agent_id,
       t.unanswered,
       t.n,
       t.middle_at,
       array(select w / 1e6::double precision from unnest(t.middle) w) as middle,
       t.upper_at,
       array(select w / 1e6::double precision from unnest(t.upper) w) as upper,
       t.first_n,
       t.first_middle_at,
       array(select w / 1e6::double precision from unnest(t.first_middle) w) as first_middle
  from told t
 order by t.agent_id nulls last
