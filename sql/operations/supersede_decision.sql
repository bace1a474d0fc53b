-- Close the current decision on a locked contact; it stays in the history.
--
-- $1 contact_id  uuid
-- $2 now         timestamptz
--
-- By qualifications_current_idx.
update mcp.qualifications q
   set superseded_at = $2
 where q.contact_id = $1
   and q.superseded_at is null
