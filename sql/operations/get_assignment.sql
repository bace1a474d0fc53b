-- Whom a locked contact is assigned to.
--
-- $1 contact_id  uuid
--
-- One row or none, by assignments_current_idx. The name is null where the agent is gone for good.
select s.agent_id,
       a.name as agent_name,
       s.priority,
       s.notes
  from mcp.assignments s
  left join mcp.agents a on a.id = s.agent_id
 where s.contact_id = $1
   and s.superseded_at is null
