-- Whether customers of this tenant ever rated a conversation.
--
-- One row, by the first row of session_ratings_tenant_idx.
select exists (select from mcp.ratings r) as has_ratings
