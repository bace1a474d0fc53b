-- Leads of a period and of the one before it, by their current decision.
--
-- $1 start           timestamptz  null: since ever
-- $2 end             timestamptz  exclusive; null: until ever
-- $3 previous_start  timestamptz  null: no period to compare with
-- $4 previous_end    timestamptz
-- $5 status          text         all, qualified or unqualified
--
-- One row. Ranges of contacts_tenant_created_idx; the decision of each lead in them by
-- qualifications_current_idx. Two scans of the view, because one over both periods could
-- not be bounded where they are far apart.
-- Not coalesce: a security barrier takes it for a leak, and the plan for any parameters would scan beneath it.
select current.total_leads,
       current.qualified_leads,
       current.unqualified_leads,
       current.undecided_leads,
       previous.total_leads as previous_total_leads
  from (select count(*) filter (where $5::text = 'all' or c.status = $5) as total_leads,
               count(*) filter (where c.status = 'qualified') as qualified_leads,
               count(*) filter (where c.status = 'unqualified') as unqualified_leads,
               count(*) filter (where c.status = 'undecided') as undecided_leads
          from mcp.contacts c
         where c.is_lead
           and c.created_at >= case when $1::timestamptz is null then '-infinity' else $1 end
           and c.created_at < case when $2::timestamptz is null then 'infinity' else $2 end) as current,
       (select count(*) filter (where $5 = 'all' or c.status = $5) as total_leads
          from mcp.contacts c
         where c.is_lead
           and c.created_at >= $3::timestamptz
           and c.created_at < $4::timestamptz) as previous
