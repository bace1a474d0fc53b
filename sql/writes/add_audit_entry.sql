-- Append an entry to the tenant's audit trail.
--
-- $1 entry  jsonb
--
-- Last lock of a write: a trigger numbers the entry and chains it to the one before, one
-- transaction of the tenant at a time.
insert into mcp.audit_log (entry)
values ($1)
returning id
