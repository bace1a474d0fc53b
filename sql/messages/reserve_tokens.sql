-- Take tokens from a tenant's budget of a day; no row where it does not hold so many any more.
--
-- $1 day     date
-- $2 tokens  bigint
-- $3 budget  bigint
--
-- One row, by primary key: whoever comes at the same time waits for its lock and then sees the new sum,
-- from whichever server. What is reserved and never settled counts as spent.
insert into mcp.model_usage as u (day, tokens)
select $1::date,
       $2::bigint
 where $2::bigint <= $3::bigint
    on conflict (tenant_id, day) do update
   set tokens = u.tokens + excluded.tokens
 where u.tokens + excluded.tokens <= $3::bigint
returning u.tokens
