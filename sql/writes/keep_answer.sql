-- Remember the first answer to an idempotency key that this transaction has taken.
--
-- $1 user_id  text
-- $2 tool     text
-- $3 key      text
-- $4 answer   jsonb
--
-- By primary key.
update mcp.idempotency_keys k
   set answer = $4
 where k.user_id = $1
   and k.tool = $2
   and k.key = $3
