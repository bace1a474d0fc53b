-- About how many marks wait for their facts to be made, of all tenants together.
--
-- One row, none where the database keeps no facts. As PostgreSQL's own statistics count them: some seconds old, and not a
-- look at the table, of which the server's login may not count the rows.
select pg_stat_get_live_tuples(c.oid) as waiting
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
 where n.nspname = 'mcp_store'
   and c.relname = 'fact_marks'
