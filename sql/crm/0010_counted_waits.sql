-- Counts of waits by about how long they were, of days with so many that to sort them for a median takes seconds.
--
-- A day (of UTC) of a tenant is counted once it has more waits than mcp.waits_worth_counting() says, and from then on;
-- of all other days, and where a period begins or ends within one, the waits are read one by one. From counts it follows
-- between which lengths the wanted places in the order lie, and only waits of these lengths are read.

create table mcp_store.fact_wait_days (
    tenant_id text not null,
    day       timestamptz not null,
    latest    timestamptz not null,
    primary key (tenant_id, day)
) with (fillfactor = 70, autovacuum_vacuum_cost_delay = 0);
comment on table mcp_store.fact_wait_days is 'Which days have counts, and a moment by which all that they count was over.';

-- agent_id: of nobody, 00000000-…; length: see mcp.wait_length(); first_n: of them, how many began with their conversation.
create table mcp_store.fact_wait_counts (
    tenant_id text not null,
    day       timestamptz not null,
    agent_id  uuid not null,
    length    smallint not null,
    n         integer not null,
    first_n   integer not null,
    primary key (tenant_id, day, agent_id, length) include (n, first_n)
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

-- The waits of a day and an agent by how long they were.
create index fact_waits_length_idx
    on mcp_store.fact_waits (tenant_id, date_bin('24 hours', since, '2000-01-01 00:00+00'), agent_id, microseconds)
       include (since, from_opening)
 where microseconds is not null;

grant select, insert, update, delete on mcp_store.fact_wait_days, mcp_store.fact_wait_counts to mcp_owner;

set local role mcp_owner;

-- How many waits a day must have to be counted. Of fewer, a year is sorted in less than a second.
create function mcp.waits_worth_counting() returns integer
language sql immutable parallel safe
return 4000;

-- About how long a wait was, in steps of a thirty-second of e; -1 of what has not ended. Longer waits have no lower length.
create function mcp.wait_length(microseconds bigint) returns smallint
language sql immutable parallel safe
return coalesce((32 * ln(microseconds + 1.0::float8))::smallint, -1::smallint);

-- The microseconds amid a length: all waits of a length lie between those of its neighbours.
create function mcp.length_microseconds(length integer) returns bigint
language sql immutable parallel safe
return (exp(least(greatest(length, 0), 1396) / 32.0::float8) - 1)::bigint;

-- The places in the order, from 1, of the waits that a figure can need: around the median as far as its intervals reach at any
-- level that is asked for (three times the square root of n is six standard deviations of the rank), and around the ninth
-- decile. Of the first responses the median itself. Middles end as far from the last place as they begin from the first.
create function mcp.response_places(n integer, first_n integer)
returns table (middle_at integer,
               upper_at integer,
               first_middle_at integer)
language sql immutable parallel safe rows 1 as $$
select greatest(1, (n + 1) / 2 - ceil(3 * sqrt(n))::integer),
       greatest(1, floor(0.9 * (n - 1))::integer),
       greatest(1, (first_n + 1) / 2)
$$;

-- Whether counts say something of a period.
create function mcp.waits_are_counted(period_start timestamptz, period_end timestamptz, now timestamptz) returns boolean
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
begin
    return exists (
        select
          from mcp_store.fact_wait_days d
         where d.tenant_id = nullif(current_setting('mcp.tenant_id', true), '')
           and d.day >= period_start
           and d.day <= period_end - interval '24 hours'
           and d.latest <= now);
end
$$;

-- What performance/list_response_times says without business hours, from counts where there are any. The waits that nobody
-- is credited with are counted only.
create function mcp.counted_response_times(period_start timestamptz, period_end timestamptz, now timestamptz)
returns table (agent_id uuid,
               unanswered bigint,
               n integer,
               middle_at integer,
               middle bigint[],
               upper_at integer,
               upper bigint[],
               first_n integer,
               first_middle_at integer,
               first_middle bigint[])
language plpgsql stable parallel safe security definer rows 20
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    tenant constant text := nullif(current_setting('mcp.tenant_id', true), '');
begin
    return query
        with days as materialized (
            select d.day
              from mcp_store.fact_wait_days d
             where d.tenant_id = tenant
               and d.day >= period_start
               and d.day <= period_end - interval '24 hours'
               and d.latest <= now
        ),
        gaps as (
            select gap.since,
                   gap.until
              from (select coalesce(lag(part.day) over (order by part.day) + interval '24 hours', period_start) as since,
                           part.day as until
                      from (select d.day from days d union all select period_end) part (day)) gap
             where gap.since < gap.until
        ),
        -- What counts do not tell: waits of other days; and of who is marked, those that they tell in vain (-1) and those
        -- that there are.
        loose as materialized (
            select wait.agent_id,
                   wait.microseconds,
                   wait.from_opening,
                   1 as n
              from gaps g
             cross join lateral (
                   select w.agent_id,
                          case when w.until <= now then w.microseconds end as microseconds,
                          w.from_opening
                     from mcp.waits_between(g.since, g.until) w
                    where w.since <= now
                   offset 0) wait
             union all
            select f.agent_id,
                   f.microseconds,
                   f.from_opening,
                   -1
              from mcp.marked_contacts() marked
              join mcp_store.fact_waits f on f.contact_id = marked
             where f.tenant_id = tenant
               and date_bin('24 hours', f.since, '2000-01-01 00:00+00') in (select d.day from days d)
             union all
            select m.agent_id,
                   case when m.until <= now then m.microseconds end,
                   m.from_opening,
                   1
              from mcp.marked_waits() m
             where (select exists (select from mcp.marks))
               and m.since <= now
               and date_bin('24 hours', m.since, '2000-01-01 00:00+00') in (select d.day from days d)
        ),
        counted as materialized (
            select part.agent_id,
                   part.length,
                   sum(part.n) as n,
                   sum(part.first_n) as first_n
              from (select nullif(c.agent_id, '00000000-0000-0000-0000-000000000000') as agent_id,
                           c.length,
                           c.n,
                           c.first_n
                      from days d
                      join mcp_store.fact_wait_counts c on c.tenant_id = tenant and c.day = d.day
                     union all
                    select l.agent_id,
                           mcp.wait_length(l.microseconds),
                           l.n,
                           case when l.from_opening then l.n else 0 end
                      from loose l) part
             group by part.agent_id,
                      part.length
        ),
        totals as (
            select c.agent_id,
                   coalesce(sum(c.n) filter (where c.length < 0), 0)::bigint as unanswered,
                   coalesce(sum(c.n) filter (where c.length >= 0), 0)::integer as n,
                   coalesce(sum(c.first_n) filter (where c.length >= 0), 0)::integer as first_n
              from counted c
             group by c.agent_id
            having sum(c.n) > 0
        ),
        places as materialized (
            select t.agent_id,
                   t.unanswered,
                   t.n,
                   t.first_n,
                   place.middle_at,
                   place.upper_at,
                   place.first_middle_at
              from totals t
             cross join lateral mcp.response_places(t.n, t.first_n) place
        ),
        -- How many of an agent's waits were no longer than that.
        ranked as (
            select c.agent_id,
                   kind.is_first,
                   c.length,
                   kind.n,
                   sum(kind.n) over (partition by c.agent_id, kind.is_first order by c.length) as upto
              from counted c
             cross join lateral (values (false, c.n), (true, c.first_n)) kind (is_first, n)
             where c.length >= 0
               and c.agent_id is not null
               and kind.n > 0
        ),
        slices as materialized (
            select p.agent_id,
                   slice.name,
                   slice.is_first,
                   slice.since,
                   slice.until,
                   min(r.length) as shortest,
                   max(r.length) as longest,
                   min(r.upto - r.n) as before
              from places p
             cross join lateral (
                   values ('middle', false, p.middle_at, p.n + 1 - p.middle_at),
                          ('upper', false, p.upper_at, p.upper_at + 3),
                          ('first_middle', true, p.first_middle_at, p.first_n + 1 - p.first_middle_at)
                   ) slice (name, is_first, since, until)
              join ranked r
                on r.agent_id = p.agent_id
               and r.is_first = slice.is_first
               and r.upto >= slice.since
               and r.upto - r.n < slice.until
             group by p.agent_id,
                      slice.name,
                      slice.is_first,
                      slice.since,
                      slice.until
        ),
        near as (
            select s.agent_id,
                   s.name,
                   wait.microseconds,
                   1 as n
              from slices s
             cross join days d
             cross join lateral (
                   select f.microseconds
                     from mcp_store.fact_waits f
                    where f.tenant_id = tenant
                      and date_bin('24 hours', f.since, '2000-01-01 00:00+00') = d.day
                      and f.agent_id = s.agent_id
                      and f.microseconds >= mcp.length_microseconds(s.shortest - 1)
                      and f.microseconds <= mcp.length_microseconds(s.longest + 1)
                      and mcp.wait_length(f.microseconds) between s.shortest and s.longest
                      and (f.from_opening or not s.is_first)
                   offset 0) wait
             union all
            select s.agent_id,
                   s.name,
                   l.microseconds,
                   l.n
              from slices s
              join loose l on l.agent_id = s.agent_id
             where l.microseconds is not null
               and mcp.wait_length(l.microseconds) between s.shortest and s.longest
               and (l.from_opening or not s.is_first)
        ),
        found as (
            select s.agent_id,
                   s.name,
                   (array_agg(one.microseconds order by one.microseconds))[s.since - s.before:s.until - s.before] as waits
              from slices s
              join (select near.agent_id,
                           near.name,
                           near.microseconds,
                           sum(near.n)::integer as n
                      from near
                     group by near.agent_id,
                              near.name,
                              near.microseconds) one
                on one.agent_id = s.agent_id
               and one.name = s.name
             cross join generate_series(1, one.n)
             group by s.agent_id,
                      s.name,
                      s.since,
                      s.until,
                      s.before
        )
        select p.agent_id,
               p.unanswered,
               p.n,
               p.middle_at,
               coalesce((select f.waits from found f where f.agent_id = p.agent_id and f.name = 'middle'), '{}'),
               p.upper_at,
               coalesce((select f.waits from found f where f.agent_id = p.agent_id and f.name = 'upper'), '{}'),
               p.first_n,
               p.first_middle_at,
               coalesce((select f.waits from found f where f.agent_id = p.agent_id and f.name = 'first_middle'), '{}')
          from places p;
end
$$;

-- As before, but who has a mark of their own is marked also while the whole tenant is: a contact that is another's by now, or
-- has another id, is otherwise known by its keys only, and may have none.
create or replace function mcp.marked_contacts() returns setof uuid
language plpgsql stable parallel safe security definer rows 10
set search_path = pg_catalog, pg_temp as $$
declare
    tenant constant text := nullif(current_setting('mcp.tenant_id', true), '');
begin
    perform from mcp_store.fact_marks m where m.tenant_id = tenant limit 1;
    if not found then
        return;
    end if;
    perform from mcp_store.fact_marks m
      where m.tenant_id = tenant and m.contact_id is null and m.session_id is null and m.key is null
      limit 1;
    if found then
        return query
            select c.id from public.contacts c where c.tenant_id = tenant
             union select s.contact_id from public.sessions s where s.tenant_id = tenant
             union select k.contact_id from mcp_store.fact_keys k where k.tenant_id = tenant
             union
            select m.contact_id from mcp_store.fact_marks m where m.tenant_id = tenant and m.contact_id is not null;
        return;
    end if;
    return query
        select m.contact_id from mcp_store.fact_marks m where m.tenant_id = tenant and m.contact_id is not null
         union
        select s.contact_id
          from mcp_store.fact_marks m
          join public.sessions s on s.id = m.session_id
         where m.tenant_id = tenant
           and s.tenant_id = tenant
         union
        select k.contact_id
          from mcp_store.fact_marks m
          join mcp_store.fact_keys k on k.keys @> array[m.key]
         where m.tenant_id = tenant
           and m.key is not null
           and k.tenant_id = tenant;
end
$$;

-- Counts some days of a tenant that are not counted yet, of these those that have waits enough.
create function mcp.count_waits(tenant text, candidates timestamptz[]) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    busy timestamptz[];
begin
    busy := array(
        select c.day
          from unnest(candidates) c (day)
         where not exists (select from mcp_store.fact_wait_days d where d.tenant_id = tenant and d.day = c.day)
           and exists (select
                         from mcp_store.fact_waits f
                        where f.tenant_id = tenant
                          and f.since >= c.day
                          and f.since < c.day + interval '24 hours'
                       offset mcp.waits_worth_counting()
                        limit 1));
    if cardinality(busy) = 0 then
        return;
    end if;
    insert into mcp_store.fact_wait_days (tenant_id, day, latest)
    select tenant, b.day, max(coalesce(f.until, f.since))
      from unnest(busy) b (day)
      join mcp_store.fact_waits f on f.since >= b.day and f.since < b.day + interval '24 hours'
     where f.tenant_id = tenant
     group by b.day;
    insert into mcp_store.fact_wait_counts (tenant_id, day, agent_id, length, n, first_n)
    select tenant,
           b.day,
           coalesce(f.agent_id, '00000000-0000-0000-0000-000000000000'),
           mcp.wait_length(f.microseconds),
           count(*),
           count(*) filter (where f.from_opening)
      from unnest(busy) b (day)
      join mcp_store.fact_waits f on f.since >= b.day and f.since < b.day + interval '24 hours'
     where f.tenant_id = tenant
     group by 1, 2, 3, 4;
end
$$;

-- Makes the waits of some contacts anew, and counts in and out what has come and gone of the days that are counted. Others
-- who do so for the tenant have their turn afterwards: a day that one begins to count would lack what the other adds.
create function mcp.make_waits(tenant text, contacts uuid[]) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    grown timestamptz[];
begin
    perform pg_advisory_xact_lock(hashtextextended('mcp waits of ' || tenant, 0));
    with gone as (
        delete from mcp_store.fact_waits f
         where f.tenant_id = tenant
           and f.contact_id = any (contacts)
        returning f.agent_id, f.since, f.until, f.microseconds, f.from_opening),
    come as (
        insert into mcp_store.fact_waits (tenant_id, contact_id, agent_id, since, until, microseconds, from_opening)
        select tenant, c.id, live.agent_id, live.since, live.until, live.microseconds, live.from_opening
          from unnest(contacts) c (id)
         cross join lateral (
               select l.agent_id, l.since, l.until, l.microseconds, l.from_opening
                 from mcp.live_waits l
                where l.contact_id = c.id
               offset 0) live
        returning agent_id, since, until, microseconds, from_opening),
    moved as (
        select date_bin('24 hours', wait.since, '2000-01-01 00:00+00') as day,
               coalesce(wait.agent_id, '00000000-0000-0000-0000-000000000000') as agent_id,
               mcp.wait_length(wait.microseconds) as length,
               sum(wait.n) as n,
               coalesce(sum(wait.n) filter (where wait.from_opening), 0) as first_n,
               max(coalesce(wait.until, wait.since)) as latest
          from (select g.*, -1 as n from gone g
                 union all
                select c.*, 1 from come c) wait
         group by 1, 2, 3),
    told as (
        update mcp_store.fact_wait_days d
           set latest = m.latest
          from (select moved.day, max(moved.latest) as latest from moved group by moved.day) m
         where d.tenant_id = tenant
           and d.day = m.day
           and d.latest < m.latest),
    counted as (
        insert into mcp_store.fact_wait_counts as c (tenant_id, day, agent_id, length, n, first_n)
        select tenant, m.day, m.agent_id, m.length, m.n, m.first_n
          from moved m
          join mcp_store.fact_wait_days d on d.tenant_id = tenant and d.day = m.day
         where m.n <> 0
            or m.first_n <> 0
        on conflict (tenant_id, day, agent_id, length) do update
           set n = c.n + excluded.n,
               first_n = c.first_n + excluded.first_n)
    select array_agg(more.day) into grown
      from (select m.day from moved m group by m.day having sum(m.n) > 0) more;
    perform mcp.count_waits(tenant, grown);
end
$$;

create or replace function mcp.make_facts(tenant text, contacts uuid[]) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
    delete from mcp_store.fact_keys f where f.tenant_id = tenant and f.contact_id = any (contacts);
    delete from mcp_store.fact_journeys f where f.tenant_id = tenant and f.contact_id = any (contacts);
    insert into mcp_store.fact_keys (tenant_id, contact_id, keys)
    select tenant, c.id, live.keys
      from unnest(contacts) c (id)
     cross join lateral (select l.keys from mcp.live_keys l where l.contact_id = c.id offset 0) live;
    insert into mcp_store.fact_journeys (tenant_id, contact_id, agent_id, started_at, agent_previous_at, is_team,
                                         team_previous_at, shared_at, shared_before, qualified, won_at, first_lost_at,
                                         lost_at, kept_at)
    select tenant, c.id, live.agent_id, live.started_at, live.agent_previous_at, live.is_team,
           live.team_previous_at, live.shared_at, live.shared_before, live.qualified, live.won_at, live.first_lost_at,
           live.lost_at, live.kept_at
      from unnest(contacts) c (id)
     cross join lateral (
           select l.agent_id, l.started_at, l.agent_previous_at, l.is_team,
                  l.team_previous_at, l.shared_at, l.shared_before, l.qualified, l.won_at, l.first_lost_at,
                  l.lost_at, l.kept_at
             from mcp.live_journeys l
            where l.contact_id = c.id
           offset 0) live;
    perform mcp.make_waits(tenant, contacts);
end
$$;

revoke all on function mcp.waits_worth_counting(), mcp.wait_length(bigint), mcp.length_microseconds(integer),
                       mcp.response_places(integer, integer),
                       mcp.waits_are_counted(timestamptz, timestamptz, timestamptz),
                       mcp.counted_response_times(timestamptz, timestamptz, timestamptz),
                       mcp.count_waits(text, timestamptz[]), mcp.make_waits(text, uuid[])
  from public;
grant execute on function mcp.response_places(integer, integer),
                          mcp.waits_are_counted(timestamptz, timestamptz, timestamptz),
                          mcp.counted_response_times(timestamptz, timestamptz, timestamptz)
   to mcp_reader, mcp_writer;

-- Waits that were there before.
insert into mcp_store.fact_wait_days (tenant_id, day, latest)
select f.tenant_id, date_bin('24 hours', f.since, '2000-01-01 00:00+00'), max(coalesce(f.until, f.since))
  from mcp_store.fact_waits f
 group by 1, 2
having count(*) > mcp.waits_worth_counting();
insert into mcp_store.fact_wait_counts (tenant_id, day, agent_id, length, n, first_n)
select d.tenant_id,
       d.day,
       coalesce(f.agent_id, '00000000-0000-0000-0000-000000000000'),
       mcp.wait_length(f.microseconds),
       count(*),
       count(*) filter (where f.from_opening)
  from mcp_store.fact_wait_days d
  join mcp_store.fact_waits f
    on f.tenant_id = d.tenant_id
   and date_bin('24 hours', f.since, '2000-01-01 00:00+00') = d.day
 group by 1, 2, 3, 4;

reset role;
