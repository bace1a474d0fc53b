-- What the tenant's CRM keeps at all: without a stage history, say, nothing can convert.
--
-- One row of three booleans, each by the first row of an index.
select exists (select from mcp.stage_history h) as has_stage_history,
       exists (select from mcp.stages s where s.outcome = 'won') as has_won_stage,
       exists (select from mcp.stages s where s.outcome = 'lost') as has_lost_stage
