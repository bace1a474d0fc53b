-- The current decision on a contact.
--
-- $1 contact_id  uuid
--
-- One row or none, by qualifications_current_idx.
select q.status,
       q.reason,
       q.budget,
       q.authority,
       q.need,
       q.timeline,
       q.score,
       q.weights_version
  from mcp.qualifications q
 where q.contact_id = $1
   and q.superseded_at is null
