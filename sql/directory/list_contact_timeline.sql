-- What happened to a contact lately.
--
-- $1 contact_id  uuid
--
-- At most 20 rows, by contact_events_contact_idx.
select e.id as event_id,
       e.event_type,
       e.category,
       e.source,
       e.title,
       e.description,
       e.occurred_at
  from mcp.timeline e
 where e.contact_id = $1
 order by e.occurred_at desc, e.id desc
 limit 20
