-- Leads created in a period by local day, week (from Monday) or month; buckets without any are left out.
--
-- $1 start      timestamptz  null: since ever
-- $2 end        timestamptz  exclusive; null: until ever
-- $3 status     text         all, qualified or unqualified
-- $4 bucket     text         day, week or month
-- $5 time_zone  text         IANA name
--
-- A range of fact_lead_slots_pkey, whose rows are sums, and at the ends of the period one of fact_leads_created_idx; at
-- most one row a bucket.
-- Not coalesce: a security barrier takes it for a leak, and the plan for any parameters would scan beneath it.
select date_trunc($4::text, l.at at time zone $5::text)::date as start,
       sum(case $3::text when 'all' then l.leads when 'qualified' then l.qualified else l.unqualified end)::bigint as total_leads
  from mcp.leads_between(case when $1::timestamptz is null then '-infinity' else $1 end,
                         case when $2::timestamptz is null then 'infinity' else $2 end) l
 group by 1
having sum(case $3 when 'all' then l.leads when 'qualified' then l.qualified else l.unqualified end) > 0
 order by 1
