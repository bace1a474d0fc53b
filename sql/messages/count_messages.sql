-- How many messages an agent sent in a period, and how many of them are fit to be judged.
--
-- $1 senders uuid[]       the agent's id, and its user's
-- $2 sources text[]       what counts as its own words: no broadcast, sequence, trigger or template
-- $3 start   timestamptz  first moment …
-- $4 end     timestamptz  … to before here
-- $5 length  int          characters from which there is something to judge
--
-- A range of messages_agent_idx for each sender; the texts come from the table.
select count(*) as messages_total,
       count(*) filter (where m.source = any($2::text[])
                          and m.content_type = 'text'
                          and char_length(btrim(m.text)) >= $5::int) as eligible
  from mcp.messages m
 where m.agent_id = any($1::uuid[])
   and m.sent_at >= $3::timestamptz
   and m.sent_at < $4::timestamptz
   and not m.inbound
