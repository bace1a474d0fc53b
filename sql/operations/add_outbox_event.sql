-- Tell the CRM's consumers of a change.
--
-- $1 contact_id  uuid
-- $2 event_type  text
-- $3 event_data  jsonb        with the CRM's own field names
-- $4 project_id  uuid
-- $5 now         timestamptz
insert into mcp.outbox (aggregate_id, aggregate_type, event_type, event_data, project_id, created_at)
values ($1, 'Contact', $2, $3, $4, $5)
returning id
