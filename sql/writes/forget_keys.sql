-- Forget idempotency keys that are older than anybody may rely on.
--
-- $1 before  timestamptz
--
-- A bounded number at a time, one row each, by idempotency_keys_created_idx; those that another
-- server is forgetting are passed over.
delete from mcp.idempotency_keys k
 where k.created_at < $1::timestamptz
   and (k.user_id, k.tool, k.key) in (
       select old.user_id,
              old.tool,
              old.key
         from mcp.idempotency_keys old
        where old.created_at < $1
        limit 500
          for update skip locked)
returning k.created_at
