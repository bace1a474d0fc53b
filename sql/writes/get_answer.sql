-- The first answer to an idempotency key, with the hash of what was asked.
--
-- $1 user_id  text
-- $2 tool     text
-- $3 key      text
--
-- One row or none, by primary key.
select k.payload_hash,
       k.answer
  from mcp.idempotency_keys k
 where k.user_id = $1
   and k.tool = $2
   and k.key = $3
