-- Every pipeline of the tenant with its stages, in board order.
--
-- One row a stage; a pipeline without stages is one row of nulls. By pipelines_tenant_idx
-- and pipeline_statuses_pipeline_idx; a few dozen rows.
select p.id as pipeline_id,
       p.name as pipeline_name,
       p.active as pipeline_active,
       s.id as stage_id,
       s.name,
       s.type,
       s.outcome,
       s.position,
       s.active
  from mcp.pipelines p
  left join mcp.stages s on s.pipeline_id = p.id and not s.deleted
 order by p.position, p.id, s.position, s.id
