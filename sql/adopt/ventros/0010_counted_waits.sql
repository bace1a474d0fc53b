-- The functions by which our own CRM answers from counts of waits; here there are none.

set local role mcp_owner;

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


create function mcp.waits_are_counted(period_start timestamptz, period_end timestamptz, now timestamptz) returns boolean
language sql stable parallel safe as $$
select false
$$;

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
language sql stable parallel safe rows 1 as $$
select null::uuid, null::bigint, null::integer, null::integer, null::bigint[], null::integer, null::bigint[], null::integer,
       null::integer, null::bigint[]
 where false
$$;

revoke all on function mcp.response_places(integer, integer),
                       mcp.waits_are_counted(timestamptz, timestamptz, timestamptz),
                       mcp.counted_response_times(timestamptz, timestamptz, timestamptz)
  from public;
grant execute on function mcp.response_places(integer, integer),
                          mcp.waits_are_counted(timestamptz, timestamptz, timestamptz),
                          mcp.counted_response_times(timestamptz, timestamptz, timestamptz)
   to mcp_reader, mcp_writer;

reset role;
