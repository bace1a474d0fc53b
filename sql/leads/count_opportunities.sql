-- Leads of a period that stand now in a stage of type active.
--
-- $1 start  timestamptz  null: since ever
-- $2 end    timestamptz  exclusive; null: until ever
--
-- One row. The leads by contacts_tenant_created_idx, the open stages of each by
-- contact_pipeline_statuses_contact_idx.
-- Not coalesce: a security barrier takes it for a leak, and the plan for any parameters would scan beneath it.
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
   and c.created_at >= case when $1::timestamptz is null then '-infinity' else $1 end
   and c.created_at < case when $2::timestamptz is null then 'infinity' else $2 end
