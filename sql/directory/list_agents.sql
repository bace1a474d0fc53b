-- The tenant's agents and how many conversations each has open; system agents are no colleagues.
--
-- $1 type    text  null: every type
-- $2 active  bool  null: active or not
--
-- By agents_tenant_idx; open conversations by sessions_tenant_open_idx.
with open_sessions as (
    select sa.agent_id,
           count(*) as open_sessions
      from mcp.session_agents sa
     where sa.status = 'active'
     group by sa.agent_id
)
select a.id as agent_id,
       a.name as agent_name,
       a.type as agent_type,
       a.status,
       a.active,
       a.assignable,
       coalesce(o.open_sessions, 0) as open_sessions
  from mcp.agents a
  left join open_sessions o on o.agent_id = a.id
 where a.type <> 'system'
   and not a.deleted
   and ($1::text is null or a.type = $1)
   and ($2::boolean is null or a.active = $2)
 order by a.name, a.id
