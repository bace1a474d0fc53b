-- Make a decision on a locked contact whose former one is closed.
--
-- $1 contact_id       uuid
-- $2 status           text
-- $3 reason           text
-- $4 budget           smallint
-- $5 authority        smallint
-- $6 need             smallint
-- $7 timeline         smallint
-- $8 score            numeric
-- $9 weights_version  text
-- $10 decided_by      text
-- $11 now             timestamptz
insert into mcp.qualifications (
       contact_id, status, reason, budget, authority, need, timeline, score, weights_version, decided_by, decided_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
returning id
