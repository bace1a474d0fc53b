-- One contact by its id, with its decision.
--
-- $1 contact_id  uuid
--
-- One row or none, by primary key.
select c.id as contact_id,
       c.name,
       c.phone,
       c.email,
       c.status,
       c.owner_id,
       c.version,
       c.created_at,
       c.last_interaction_at,
       q.status as decision,
       q.reason,
       q.budget,
       q.authority,
       q.need,
       q.timeline,
       q.score,
       q.weights_version,
       q.decided_by,
       q.decided_at
  from mcp.contacts c
  left join lateral (
       select d.status,
              d.reason,
              d.budget,
              d.authority,
              d.need,
              d.timeline,
              d.score,
              d.weights_version,
              d.decided_by,
              d.decided_at
         from mcp.qualifications d
        where d.contact_id = c.id
          and d.superseded_at is null
        limit 1) q on true
 where c.id = $1
