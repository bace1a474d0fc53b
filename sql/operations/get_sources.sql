-- What the tenant's CRM keeps that a change may have to be written to.
--
-- One row.
select s.keeps_custom_fields
  from mcp.sources s
