-- Lock the conversation that a contact now has, the latest if there are several.
--
-- $1 contact_id  uuid
--
-- One row or none, by sessions_contact_idx. Locked after the contact, always.
select s.id as session_id,
       mcp.uuid_or_null(s.agent_ids ->> -1) as agent_id
  from mcp.sessions s
 where s.contact_id = $1
   and s.status = 'active'
 order by s.started_at desc, s.id desc
 limit 1
   for no key update
