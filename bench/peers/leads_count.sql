-- The figures of get_leads_count in one statement, as whoever writes a server for it alone would ask for them.
--
-- $1 start           timestamptz
-- $2 end             timestamptz  exclusive
-- $3 previous_start  timestamptz
-- $4 previous_end    timestamptz
--
-- One row. The same views, so the same indexes, as sql/leads.
select current.total_leads,
       current.qualified_leads,
       current.unqualified_leads,
       current.undecided_leads,
       previous.total_leads as previous_total_leads,
       standing.opportunities,
       decided.qualified_in_period
  from (select count(*) as total_leads,
               count(*) filter (where c.status = 'qualified') as qualified_leads,
               count(*) filter (where c.status = 'unqualified') as unqualified_leads,
               count(*) filter (where c.status = 'undecided') as undecided_leads
          from mcp.contacts c
         where c.is_lead
           and c.created_at >= $1::timestamptz
           and c.created_at < $2::timestamptz) as current,
       (select count(*) as total_leads
          from mcp.contacts c
         where c.is_lead
           and c.created_at >= $3::timestamptz
           and c.created_at < $4::timestamptz) as previous,
       (select count(*) as opportunities
          from mcp.contacts c
         cross join lateral (
               select h.id
                 from mcp.stage_history h
                where h.contact_id = c.id
                  and h.exited_at is null
                  and h.stage_id = any (array(
                      select s.id
                        from mcp.stages s
                       where s.type = 'active'))
                limit 1) open_stage
         where c.is_lead
           and c.created_at >= $1
           and c.created_at < $2) as standing,
       (select count(*) as qualified_in_period
          from mcp.decisions d
         cross join lateral (
               select c.id
                 from mcp.contacts c
                where c.id = d.contact_id
                  and c.is_lead
                limit 1) lead
         where d.status = 'qualified'
           and d.decided_at >= $1
           and d.decided_at < $2) as decided
