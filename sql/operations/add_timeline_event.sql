-- Tell the contact's timeline what happened.
--
-- $1 contact_id    uuid
-- $2 session_id    uuid  null: not within a conversation
-- $3 event_type    text
-- $4 category      text
-- $5 priority      text
-- $6 title         text
-- $7 description   text
-- $8 payload       jsonb
-- $9 now           timestamptz
insert into mcp.timeline (
       contact_id, session_id, event_type, category, priority, source, title, description, payload,
       integration_source, occurred_at, created_at)
values ($1, $2, $3, $4, $5, 'integration', $6, $7, $8, 'crm-mcp', $9, $9)
returning id
