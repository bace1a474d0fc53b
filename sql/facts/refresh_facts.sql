-- Makes the facts anew of those contacts that the oldest marks name, in this transaction.
--
-- $1 most  int  so many marks
--
-- One row: how many marks were taken, 0 where there were none, null while another server is at it. The marks by a scan
-- of mcp_store.fact_marks, which is next to empty; one such transaction at a time.
select mcp.refresh_facts($1::int) as taken
