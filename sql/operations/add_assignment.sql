-- Assign a locked contact whose former assignment is closed.
--
-- $1 contact_id   uuid
-- $2 agent_id     uuid
-- $3 priority     text
-- $4 notes        text
-- $5 assigned_by  text
-- $6 now          timestamptz
insert into mcp.assignments (contact_id, agent_id, priority, notes, assigned_by, assigned_at)
values ($1, $2, $3, $4, $5, $6)
returning id
