-- The stages that some contacts stand in now, one row a contact and pipeline.
--
-- $1 contact_ids  uuid[]
--
-- By contact_pipeline_statuses_contact_idx. At most 100 contacts.
select asked.contact_id,
       h.pipeline_id,
       p.name as pipeline_name,
       h.stage_id,
       s.name as stage_name,
       s.type,
       s.outcome,
       h.entered_at
  from unnest($1::uuid[]) as asked (contact_id)
 cross join lateral (
       select o.pipeline_id,
              o.stage_id,
              o.entered_at
         from mcp.stage_history o
        where o.contact_id = asked.contact_id
          and o.exited_at is null
        limit 50) h
  join mcp.stages s on s.id = h.stage_id
  join mcp.pipelines p on p.id = h.pipeline_id
 order by asked.contact_id, p.position, p.id, h.entered_at, s.id
