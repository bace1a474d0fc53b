-- Where a locked contact stands in a pipeline.
--
-- $1 contact_id   uuid
-- $2 pipeline_id  uuid
--
-- One row or none, by contact_pipeline_statuses_contact_idx; should a CRM have left several open,
-- the latest, and how many there are.
select h.id as history_id,
       h.stage_id,
       h.entered_at,
       s.name as stage_name,
       s.type,
       s.outcome,
       s.position,
       count(*) over () as open_stages
  from mcp.stage_history h
  left join mcp.stages s on s.id = h.stage_id
 where h.contact_id = $1
   and h.pipeline_id = $2
   and h.exited_at is null
 order by h.entered_at desc, h.id desc
 limit 1
