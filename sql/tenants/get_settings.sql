-- What the tenant has set, by its name, as one JSON text; what is absent has its default.
--
-- One row. By primary key; a handful of rows.
select coalesce(jsonb_object_agg(s.key, s.value), '{}')::text as settings
  from mcp.settings s
