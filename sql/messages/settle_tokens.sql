-- Put right what was reserved of a tenant's budget of a day, once it is known what was spent.
--
-- $1 day         date
-- $2 correction  bigint  spent less reserved, mostly negative
--
-- One row, by primary key.
update mcp.model_usage u
   set tokens = greatest(0, u.tokens + $2::bigint)
 where u.day = $1::date
returning u.tokens
