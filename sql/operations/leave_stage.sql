-- Close the open stage of a locked contact in a pipeline, with its duration in seconds.
--
-- $1 contact_id   uuid
-- $2 pipeline_id  uuid
-- $3 now          timestamptz
--
-- By contact_pipeline_statuses_contact_idx.
update mcp.stage_history h
   set exited_at = greatest($3::timestamptz, h.entered_at),
       duration_seconds = greatest(0, extract(epoch from $3 - h.entered_at))::bigint,
       updated_at = $3
 where h.contact_id = $1
   and h.pipeline_id = $2
   and h.exited_at is null
