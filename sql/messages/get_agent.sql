-- One agent, of whatever type.
--
-- $1 agent_id uuid
--
-- By its primary key.
select a.id as agent_id,
       a.name as agent_name,
       a.type as agent_type,
       a.user_id
  from mcp.agents a
 where a.id = $1::uuid
   and not a.deleted
