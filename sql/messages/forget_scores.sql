-- Forget scores that are too old to be used.
--
-- $1 before  timestamptz
--
-- A bounded number at a time, one row each, by message_scores_created_idx; those that another server is
-- forgetting are passed over. Materialized, or the limit counts anew for each row.
with old as materialized (
    select s.digest,
           s.rubric,
           s.model
      from mcp.message_scores s
     where s.created_at < $1::timestamptz
     limit 500
       for update skip locked)
delete from mcp.message_scores s
 using old
 where s.digest = old.digest
   and s.rubric = old.rubric
   and s.model = old.model
returning s.created_at
