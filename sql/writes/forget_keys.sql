-- Forget idempotency keys that are older than anybody may rely on.
--
-- $1 before  timestamptz
--
-- A bounded number at a time, one row each, by idempotency_keys_created_idx; those that another
-- server is forgetting are passed over. Materialized, or the limit counts anew for each row.
with old as materialized (
    select k.user_id,
           k.tool,
           k.key
      from mcp.idempotency_keys k
     where k.created_at < $1::timestamptz
     limit 500
       for update skip locked)
delete from mcp.idempotency_keys k
 using old
 where k.user_id = old.user_id
   and k.tool = old.tool
   and k.key = old.key
returning k.created_at
