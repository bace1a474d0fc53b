-- Leads whose current decision is "qualified" and was made in the period, whenever they were created.
--
-- $1 start  timestamptz  null: since ever
-- $2 end    timestamptz  exclusive; null: until ever
--
-- One row. A range of qualifications_decided_idx, then each lead by its primary key.
select count(*) as qualified_in_period
  from mcp.qualifications q
 cross join lateral (
       select c.id
         from mcp.contacts c
        where c.id = q.contact_id
          and c.is_lead
        limit 1) lead
 where q.status = 'qualified'
   and q.superseded_at is null
   and q.decided_at >= coalesce($1::timestamptz, '-infinity')
   and q.decided_at < coalesce($2::timestamptz, 'infinity')
