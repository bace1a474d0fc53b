-- Let an agent join a locked conversation as its primary one, unless it is that already.
--
-- $1 session_id  uuid
-- $2 agent_id    uuid
-- $3 now         timestamptz
--
-- By agent_sessions_session_idx.
insert into mcp.agent_sessions (session_id, agent_id, role_in_session, joined_at, is_active, created_at, updated_at)
select $1::uuid,
       $2::uuid,
       'primary',
       $3::timestamptz,
       true,
       $3,
       $3
 where not exists (
       select
         from mcp.agent_sessions a
        where a.session_id = $1
          and a.agent_id = $2
          and a.role_in_session = 'primary'
          and a.left_at is null)
returning id
