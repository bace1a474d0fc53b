-- End the part of the former primary agents in a locked conversation.
--
-- $1 session_id  uuid
-- $2 agent_id    uuid         the new one, who stays if already there
-- $3 now         timestamptz
--
-- By agent_sessions_session_idx.
update mcp.agent_sessions a
   set left_at = $3,
       is_active = false,
       updated_at = $3
 where a.session_id = $1
   and a.agent_id <> $2
   and a.role_in_session = 'primary'
   and a.left_at is null
