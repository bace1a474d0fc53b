-- Set a custom field of a contact, as the CRM does: text inside JSON, one row a contact and key.
--
-- $1 contact_id  uuid
-- $2 key         text
-- $3 value       text
-- $4 now         timestamptz
--
-- By the unique (contact_id, field_key).
insert into mcp.custom_fields (contact_id, field_key, field_type, field_value, created_at, updated_at)
values ($1, $2, 'text', to_jsonb($3::text), $4, $4)
on conflict (contact_id, field_key) do update
   set field_type = excluded.field_type,
       field_value = excluded.field_value,
       updated_at = excluded.updated_at,
       deleted_at = null
returning id
