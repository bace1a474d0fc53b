-- Make an agent the current one of a locked conversation: the last in its list.
--
-- $1 session_id  uuid
-- $2 agent_id    uuid
-- $3 now         timestamptz
--
-- By primary key. It is a transfer where somebody else was current.
update mcp.sessions s
   set agent_ids = (case jsonb_typeof(s.agent_ids) when 'array' then s.agent_ids else '[]' end - $2::uuid::text)
                   || to_jsonb($2::text),
       agent_transfers = coalesce(s.agent_transfers, 0)
                         + case when mcp.uuid_or_null(s.agent_ids ->> -1) <> $2 then 1 else 0 end,
       version = s.version + 1,
       updated_at = $3
 where s.id = $1
returning s.version
