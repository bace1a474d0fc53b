-- The agents that figures can be about: all but system and virtual ones.
--
-- By agents_tenant_idx.
select a.id as agent_id,
       a.name as agent_name,
       a.type as agent_type
  from mcp.agents a
 where a.type not in ('system', 'virtual')
   and not a.deleted
 order by a.id
