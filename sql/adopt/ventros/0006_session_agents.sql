-- Who took part in a conversation, found for less.
--
-- Ids are compared as text: telling whether a text of the JSON is an id costs more than all the rest. Each
-- agent is counted once within its conversation, where there are few rows and short ones.

set local role mcp_owner;

-- Who took part in a conversation, one row an agent: listed in it, in its assignment history,
-- or sender of a message by hand, under the agent's own id or that of its user.
create or replace view mcp.session_agents with (security_barrier) as
with who as materialized (
    select a.id as agent_id,
           keys.key::text as key,
           keys.is_user
      from public.agents a
     cross join lateral (values (a.id, false), (a.user_id, true)) keys (key, is_user)
     where a.tenant_id = nullif(current_setting('mcp.tenant_id', true), '')
       and keys.key is not null)
select s.id as session_id,
       s.contact_id,
       s.started_at,
       s.ended_at,
       coalesce(s.status, 'active') as status,
       took_part.agent_id
  from public.sessions s
 cross join lateral (
       select distinct
              who.agent_id
         from (select lower(listed) as key,
                      false as is_sender
                 from jsonb_array_elements_text(case jsonb_typeof(s.agent_ids) when 'array' then s.agent_ids else '[]' end) listed
                union all
               select joined.agent_id::text,
                      false
                 from public.agent_sessions joined
                where joined.session_id = s.id
                  and joined.deleted_at is null
                union all
               select m.agent_id::text,
                      true
                 from public.messages m
                where m.session_id = s.id
                  and m.tenant_id = s.tenant_id
                  and m.from_me is true
                  and m.source = 'manual'
                  and m.deleted_at is null) trace
         join who
           on who.key = trace.key
          and (trace.is_sender or not who.is_user)) took_part
 where s.tenant_id = nullif(current_setting('mcp.tenant_id', true), '')
   and s.deleted_at is null;

reset role;
