-- Give a locked contact its next version.
--
-- $1 contact_id  uuid
-- $2 now         timestamptz
--
-- By primary key.
update mcp.contacts c
   set version = c.version + 1,
       updated_at = $2
 where c.id = $1
returning c.version
