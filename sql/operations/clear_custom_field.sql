-- Take a custom field from a contact, softly, as the CRM does.
--
-- $1 contact_id  uuid
-- $2 key         text
-- $3 now         timestamptz
--
-- By the unique (contact_id, field_key).
update mcp.custom_fields f
   set deleted_at = $3,
       updated_at = $3
 where f.contact_id = $1
   and f.field_key = $2
   and f.deleted_at is null
