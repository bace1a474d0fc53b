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
-- Of the seconds in order, those are returned that a figure can need: around the median as far as its intervals reach
-- at any level that is asked for (three times the square root of n is six standard deviations of the rank), and around
-- the ninth decile. middle_at is the first one's place in the order, from 1. One range of fact_waits_since_idx.
-- Each wait is measured once for all figures (hence the offset). contact_id is among what is read because then the
-- view's rows are those of the index, and need not be made anew one by one.
with timed as (
    select w.agent_id,
           w.contact_id,
           w.from_opening,
           case
               when w.until is null or w.until > $3::timestamptz then null
               when cardinality($5::int[]) = 0 then w.microseconds
               else round(mcp.open_seconds(w.since, w.until, $4::text, $5, $6::int[]) * 1000000)::bigint
           end as microseconds
      from mcp.waits_between($1::timestamptz, $2::timestamptz) w
     where w.since <= $3
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
)
select s.agent_id,
       s.unanswered,
       s.n,
       place.middle_at,
       array(select w / 1e6::double precision
               from unnest(s.waits[place.middle_at:s.n + 1 - place.middle_at]) w) as middle,
       place.upper_at,
       array(select w / 1e6::double precision
               from unnest(s.waits[place.upper_at:place.upper_at + 3]) w) as upper,
       s.first_n,
       place.first_middle_at,
       array(select w / 1e6::double precision
               from unnest(s.first_waits[place.first_middle_at:s.first_n + 1 - place.first_middle_at]) w) as first_middle
  from sorted s
 cross join lateral (
       select greatest(1, (s.n + 1) / 2 - ceil(3 * sqrt(s.n))::int) as middle_at,
              greatest(1, floor(0.9 * (s.n - 1))::int) as upper_at,
              greatest(1, (s.first_n + 1) / 2) as first_middle_at) place
 order by s.agent_id nulls last
