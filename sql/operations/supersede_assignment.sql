-- Close the current assignment of a locked contact; it stays in the history.
--
-- $1 contact_id  uuid
-- $2 now         timestamptz
--
-- By assignments_current_idx.
update mcp.assignments a
   set superseded_at = $2
 where a.contact_id = $1
   and a.superseded_at is null
