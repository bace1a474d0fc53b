-- The figures of get_leads_count in one statement, as whoever writes a server for it alone would ask for them.
--
-- $1 start           timestamptz
-- $2 end             timestamptz  exclusive
-- $3 previous_start  timestamptz
-- $4 previous_end    timestamptz
--
-- One row, from the same function as sql/leads/count_leads.sql.
select current.leads as total_leads,
       current.qualified as qualified_leads,
       current.unqualified as unqualified_leads,
       current.leads - current.qualified - current.unqualified as undecided_leads,
       previous.leads as previous_total_leads,
       current.opportunities,
       current.decided as qualified_in_period
  from mcp.lead_sums($1::timestamptz, $2::timestamptz) as current,
       mcp.lead_sums($3::timestamptz, $4::timestamptz) as previous
