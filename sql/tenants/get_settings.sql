-- What the tenant has set, one row a key; what is absent has its default.
--
-- By primary key; a handful of rows.
select key,
       value
  from mcp.settings
 order by key
