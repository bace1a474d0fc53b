-- Leads of a period and of the one before it, by their current decision, and what became of the former; and what
-- the tenant has set, by which the period was to be reckoned.
--
-- $1 start           timestamptz  null: since ever
-- $2 end             timestamptz  exclusive; null: until ever
-- $3 previous_start  timestamptz  null: no period to compare with
-- $4 previous_end    timestamptz
-- $5 status          text         all, qualified or unqualified
--
-- One row: one round trip costs less than four. Ranges of contacts_tenant_created_idx; of each lead in them the
-- decision by qualifications_current_idx and the open stages by contact_pipeline_statuses_contact_idx. Who was
-- qualified in the period, whenever created, by qualifications_decided_idx and then by primary key. Three scans of
-- mcp.contacts: one over both periods could not be bounded where they are far apart, and looking up stages in the
-- scan that counts decisions takes longer.
-- Not coalesce: a security barrier takes it for a leak, and the plan for any parameters would scan beneath it.
select current.total_leads,
       current.qualified_leads,
       current.unqualified_leads,
       current.undecided_leads,
       standing.opportunities,
       previous.total_leads as previous_total_leads,
       decided.qualified_in_period,
       setting.settings
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
           and c.created_at >= case when $1::timestamptz is null then '-infinity' else $1 end
           and c.created_at < case when $2::timestamptz is null then 'infinity' else $2 end) as standing,
       (select count(*) as qualified_in_period
          from mcp.decisions d
         cross join lateral (
               select c.id
                 from mcp.contacts c
                where c.id = d.contact_id
                  and c.is_lead
                limit 1) lead
         where d.status = 'qualified'
           and d.decided_at >= case when $1 is null then '-infinity' else $1 end
           and d.decided_at < case when $2 is null then 'infinity' else $2 end) as decided,
       (select coalesce(jsonb_object_agg(s.key, s.value), '{}')::text as settings
          from mcp.settings s) as setting
