-- Lock a contact, so that writers queue, and say which version it has now and what time it is.
--
-- $1 contact_id  uuid
--
-- One row or none, by primary key. The time is read after the lock was got: what happens under the
-- lock happens in that order. Read everything else afterwards, or it is of before the wait. Rows
-- that only refer to the contact, such as new messages, are not kept waiting.
select c.version,
       c.project_id,
       clock_timestamp() as now
  from mcp.contacts c
 where c.id = $1
   for no key update
