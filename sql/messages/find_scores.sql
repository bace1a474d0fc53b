-- Scores that are still kept of messages, by what the model would be shown of them.
--
-- $1 digests  bytea[]
-- $2 rubric   text
-- $3 model    text
-- $4 since    timestamptz
--
-- By primary key; at most one row a digest.
select s.digest,
       s.grammar,
       s.tone,
       s.brand,
       s.predominant_tone,
       s.findings
  from mcp.message_scores s
 where s.digest = any ($1::bytea[])
   and s.rubric = $2
   and s.model = $3
   and s.created_at >= $4::timestamptz
 order by s.digest
