-- Leads of a period that stand now in a stage of type active.
--
-- $1 start  timestamptz  null: since ever
-- $2 end    timestamptz  exclusive; null: until ever
--
-- One row. The leads by contacts_tenant_created_idx, the open stages of each by
-- contact_pipeline_statuses_contact_idx.
select count(*) as opportunities
  from mcp.contacts c
 cross join lateral (
       select h.id
         from mcp.stage_history h
        where h.contact_id = c.id
          and h.exited_at is null
          and h.stage_id = any (array(
              select s.id
                from mcp.stages s
               where s.type = 'active'))
        limit 1) standing
 where c.is_lead
   and c.created_at >= coalesce($1::timestamptz, '-infinity')
   and c.created_at < coalesce($2::timestamptz, 'infinity')
