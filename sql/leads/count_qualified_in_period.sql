-- Leads whose current decision is "qualified" and was made in the period, whenever they were created.
--
-- $1 start  timestamptz  null: since ever
-- $2 end    timestamptz  exclusive; null: until ever
--
-- One row. A range of qualifications_decided_idx, then each lead by its primary key.
select count(*) as qualified_in_period
  from mcp.decisions d
 cross join lateral (
       select c.id
         from mcp.contacts c
        where c.id = d.contact_id
          and c.is_lead
        limit 1) lead
 where d.status = 'qualified'
   and d.decided_at >= coalesce($1::timestamptz, '-infinity')
   and d.decided_at < coalesce($2::timestamptz, 'infinity')
