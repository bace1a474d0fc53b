-- The figures of get_leads_count in one statement, as whoever writes a server for it alone would ask for them.
--
-- $1 start           timestamptz
-- $2 end             timestamptz  exclusive
-- $3 previous_start  timestamptz
-- $4 previous_end    timestamptz
--
-- One row, from the same facts as sql/leads/count_leads.sql.
select current.leads as total_leads,
       current.qualified as qualified_leads,
       current.unqualified as unqualified_leads,
       current.leads - current.qualified - current.unqualified as undecided_leads,
       previous.leads as previous_total_leads,
       current.opportunities,
       current.decided as qualified_in_period
  from (select coalesce(sum(l.leads), 0)::bigint as leads,
               coalesce(sum(l.qualified), 0)::bigint as qualified,
               coalesce(sum(l.unqualified), 0)::bigint as unqualified,
               coalesce(sum(l.opportunities), 0)::bigint as opportunities,
               coalesce(sum(l.decided), 0)::bigint as decided
          from mcp.leads_between($1::timestamptz, $2::timestamptz) l) as current,
       (select coalesce(sum(l.leads), 0)::bigint as leads
          from mcp.leads_between($3::timestamptz, $4::timestamptz) l) as previous
