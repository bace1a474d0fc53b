-- What the tenant's CRM keeps at all: without a stage history, say, nothing can convert.
--
-- One row, each flag by the first entry of an index.
select s.has_stage_history,
       s.has_ratings,
       exists (select from mcp.stages o where o.outcome = 'won') as has_won_stage,
       exists (select from mcp.stages o where o.outcome = 'lost') as has_lost_stage
  from mcp.sources s
