-- A pipeline with its stages in board order.
--
-- $1 pipeline_id  uuid
--
-- One row a stage; a pipeline without stages is one row of nulls; no row: no such pipeline. By
-- primary key and pipeline_statuses_pipeline_idx.
select p.name as pipeline_name,
       p.active as pipeline_active,
       s.id as stage_id,
       s.name as stage_name,
       s.type,
       s.outcome,
       s.position,
       s.active
  from mcp.pipelines p
  left join mcp.stages s on s.pipeline_id = p.id and not s.deleted
 where p.id = $1
 order by s.position, s.id
