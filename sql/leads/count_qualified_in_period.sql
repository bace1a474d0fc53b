-- Leads whose current decision is "qualified" and was made in the period, whenever they were created.
--
-- $1 start  timestamptz  null: since ever
-- $2 end    timestamptz  exclusive; null: until ever
--
-- One row. A range of qualifications_decided_idx, then each lead by its primary key.
-- Not coalesce: a security barrier takes it for a leak, and the plan for any parameters would scan beneath it.
select count(*) as qualified_in_period
  from mcp.decisions d
 cross join lateral (
       select c.id
         from mcp.contacts c
        where c.id = d.contact_id
          and c.is_lead
        limit 1) lead
 where d.status = 'qualified'
   and d.decided_at >= case when $1::timestamptz is null then '-infinity' else $1 end
   and d.decided_at < case when $2::timestamptz is null then 'infinity' else $2 end
