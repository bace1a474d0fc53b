-- Take an idempotency key for this transaction; no row where somebody has it already.
--
-- $1 user_id       text
-- $2 tool          text
-- $3 key           text
-- $4 payload_hash  bytea
--
-- First lock of a write: by the primary key. Where another transaction is about to take the same
-- key, this waits for its end, at most as long as lock_timeout.
insert into mcp.idempotency_keys (user_id, tool, key, payload_hash)
values ($1, $2, $3, $4)
on conflict (tenant_id, user_id, tool, key) do nothing
returning key
