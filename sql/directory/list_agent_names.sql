-- Names of some agents, also of those who are gone.
--
-- $1 agent_ids  uuid[]
--
-- By primary key.
select a.id as agent_id,
       a.name as agent_name
  from mcp.agents a
 where a.id = any ($1::uuid[])
 order by a.id
