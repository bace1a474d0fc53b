-- Leads created in a period by local day, week (from Monday) or month; buckets without any are left out.
--
-- $1 start      timestamptz  null: since ever
-- $2 end        timestamptz  exclusive; null: until ever
-- $3 status     text         all, qualified or unqualified
-- $4 bucket     text         day, week or month
-- $5 time_zone  text         IANA name
--
-- A range of contacts_tenant_created_idx; at most one row a bucket.
select date_trunc($4::text, c.created_at at time zone $5::text)::date as start,
       count(*) as total_leads
  from mcp.contacts c
 where c.is_lead
   and c.created_at >= coalesce($1::timestamptz, '-infinity')
   and c.created_at < coalesce($2::timestamptz, 'infinity')
   and ($3::text = 'all' or c.status = $3)
 group by 1
 order by 1
