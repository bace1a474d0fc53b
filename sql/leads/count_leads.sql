-- Leads of a period and of the one before it, by their current decision, and what became of the former; and what
-- the tenant has set, by which the period was to be reckoned.
--
-- $1 start           timestamptz  null: since ever
-- $2 end             timestamptz  exclusive; null: until ever
-- $3 previous_start  timestamptz  null: no period to compare with
-- $4 previous_end    timestamptz
-- $5 status          text         all, qualified or unqualified
--
-- One row: one round trip costs less than four. The function reads sums: a range of fact_lead_slots_pkey for each period.
-- Not coalesce: a security barrier takes it for a leak, and the plan for any parameters would scan beneath it.
select case $5::text
           when 'all' then current.leads
           when 'qualified' then current.qualified
           else current.unqualified
       end as total_leads,
       current.qualified as qualified_leads,
       current.unqualified as unqualified_leads,
       current.leads - current.qualified - current.unqualified as undecided_leads,
       current.opportunities,
       case $5
           when 'all' then previous.leads
           when 'qualified' then previous.qualified
           else previous.unqualified
       end as previous_total_leads,
       current.decided as qualified_in_period,
       setting.settings
  from mcp.lead_sums(case when $1::timestamptz is null then '-infinity' else $1 end,
                     case when $2::timestamptz is null then 'infinity' else $2 end) as current,
       mcp.lead_sums($3::timestamptz, $4::timestamptz) as previous,
       (select coalesce(jsonb_object_agg(s.key, s.value), '{}')::text as settings
          from mcp.settings s) as setting
