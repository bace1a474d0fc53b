-- Close the open stages of a locked contact in a pipeline, with their duration in seconds.
--
-- $1 contact_id   uuid
-- $2 pipeline_id  uuid
-- $3 kept         uuid         the row that stays open; null: none
-- $4 now          timestamptz
--
-- By contact_pipeline_statuses_contact_idx.
update mcp.stage_history h
   set exited_at = greatest($4::timestamptz, h.entered_at),
       duration_seconds = greatest(0, floor(extract(epoch from $4 - h.entered_at)))::bigint,
       updated_at = $4
 where h.contact_id = $1
   and h.pipeline_id = $2
   and h.id is distinct from $3::uuid
   and h.exited_at is null
