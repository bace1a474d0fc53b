-- A contact's latest conversations, without a word of what was said.
--
-- $1 contact_id  uuid
--
-- At most 20 rows, by sessions_contact_idx.
select s.id as session_id,
       s.started_at,
       s.ended_at,
       s.status,
       s.message_count,
       s.sentiment,
       s.resolved,
       s.escalated,
       array(select sa.agent_id
               from mcp.session_agents sa
              where sa.session_id = s.id
              order by sa.agent_id) as agent_ids
  from (select o.id,
               o.started_at,
               o.ended_at,
               o.status,
               o.message_count,
               o.sentiment,
               o.resolved,
               o.escalated
          from mcp.sessions o
         where o.contact_id = $1
         order by o.started_at desc, o.id desc
         limit 20) s
 order by s.started_at desc, s.id desc
