-- Let a locked contact enter a stage; the one before is closed already.
--
-- $1 contact_id   uuid
-- $2 pipeline_id  uuid
-- $3 stage_id     uuid
-- $4 notes        text
-- $5 metadata     jsonb        who changed it: the CRM has no column for that
-- $6 now          timestamptz
insert into mcp.stage_history (
       contact_id, pipeline_id, stage_id, entered_at, notes, metadata, created_at, updated_at)
values ($1, $2, $3, $6, $4, $5, $6, $6)
returning id
