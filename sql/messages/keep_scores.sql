-- Keep scores for the next analysis of the same messages; a newer score takes the place of an older one.
--
-- $1 scores  jsonb  [{"digest": hexadecimal, "grammar", "tone", "brand", "predominant_tone", "findings"}, …]
-- $2 rubric  text
-- $3 model   text
--
-- One row each, by primary key, in the order of the digests, so that two who keep the same ones do not deadlock.
insert into mcp.message_scores as kept (digest, rubric, model, grammar, tone, brand, predominant_tone, findings)
select decode(s.digest, 'hex'),
       $2::text,
       $3::text,
       s.grammar,
       s.tone,
       s.brand,
       s.predominant_tone,
       s.findings
  from jsonb_to_recordset($1::jsonb) as s (digest text, grammar double precision, tone double precision,
                                           brand double precision, predominant_tone text, findings jsonb)
 order by s.digest
    on conflict (tenant_id, digest, rubric, model) do update
   set grammar = excluded.grammar,
       tone = excluded.tone,
       brand = excluded.brand,
       predominant_tone = excluded.predominant_tone,
       findings = excluded.findings,
       created_at = now()
returning kept.digest
