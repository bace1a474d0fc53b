-- One agent, also one that is gone, with the number of conversations now open with it.
--
-- $1 agent_id  uuid
--
-- One row or none, by primary key; the load by sessions_tenant_open_idx.
select a.id as agent_id,
       a.name as agent_name,
       a.type as agent_type,
       a.active,
       a.assignable,
       a.deleted,
       (select count(*)
          from mcp.session_agents sa
         where sa.status = 'active'
           and sa.agent_id = a.id) as open_sessions
  from mcp.agents a
 where a.id = $1
