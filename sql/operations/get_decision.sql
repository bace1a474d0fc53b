-- The current decision on a contact; all but its status is null where the CRM itself made it, or nobody.
--
-- $1 contact_id  uuid
--
-- One row or none, by primary key and qualifications_current_idx.
select c.status,
       q.reason,
       q.budget,
       q.authority,
       q.need,
       q.timeline,
       q.score,
       q.weights_version
  from mcp.contacts c
  left join lateral (
       select d.reason,
              d.budget,
              d.authority,
              d.need,
              d.timeline,
              d.score,
              d.weights_version
         from mcp.qualifications d
        where d.contact_id = c.id
          and d.superseded_at is null
        limit 1) q on true
 where c.id = $1
