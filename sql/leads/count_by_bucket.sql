-- Leads created in a period by local day, week (from Monday) or month; buckets without any are left out.
--
-- $1 start      timestamptz  null: since ever
-- $2 end        timestamptz  exclusive; null: until ever
-- $3 status     text         all, qualified or unqualified
-- $4 bucket     text         day, week or month
-- $5 time_zone  text         IANA name
--
-- A range of contacts_tenant_created_idx; at most one row a bucket.
-- Not coalesce: a security barrier takes it for a leak, and the plan for any parameters would scan beneath it.
select date_trunc($4::text, c.created_at at time zone $5::text)::date as start,
       count(*) as total_leads
  from mcp.contacts c
 where c.is_lead
   and c.created_at >= case when $1::timestamptz is null then '-infinity' else $1 end
   and c.created_at < case when $2::timestamptz is null then 'infinity' else $2 end
   and ($3::text = 'all' or c.status = $3)
 group by 1
 order by 1
