-- What a language model made of messages, and what that cost.
--
-- A message's text is not kept: its score is found by a keyed hash of all that the model was shown of it.
-- Findings hold quotes, which were redacted before the model saw them, of at most 200 characters each.
-- Tables may be there already: beside another CRM, the views are taken away and made anew around its changes.

create table if not exists mcp_store.message_scores (
    tenant_id        text not null check (tenant_id <> ''),
    digest           bytea not null,
    rubric           text not null check (char_length(rubric) between 1 and 50),
    model            text not null check (char_length(model) between 1 and 300),
    grammar          double precision check (grammar between 0 and 10),
    tone             double precision check (tone between 0 and 10),
    brand            double precision check (brand between 0 and 10),
    predominant_tone text check (char_length(predominant_tone) <= 50),
    findings         jsonb not null,
    created_at       timestamptz not null default now(),
    primary key (tenant_id, digest, rubric, model)
);
comment on table mcp_store.message_scores is 'Scores of messages by a hash, a rubric and a model; kept for 180 days.';
create index if not exists message_scores_created_idx on mcp_store.message_scores (tenant_id, created_at);

-- One row a tenant and day; whoever is about to ask the model takes its tokens from here first.
create table if not exists mcp_store.model_usage (
    tenant_id text not null check (tenant_id <> ''),
    day       date not null,
    tokens    bigint not null check (tokens >= 0),
    primary key (tenant_id, day)
);
comment on table mcp_store.model_usage is
    'Tokens that a tenant spent or has reserved of a language model, a UTC day; what a dead process reserved is spent.';

grant select, insert, update, delete on mcp_store.message_scores to mcp_owner;
grant select, insert, update on mcp_store.model_usage to mcp_owner;

set local role mcp_owner;

create view mcp.message_scores with (security_barrier) as
select s.tenant_id,
       s.digest,
       s.rubric,
       s.model,
       s.grammar,
       s.tone,
       s.brand,
       s.predominant_tone,
       s.findings,
       s.created_at
  from mcp_store.message_scores s
 where s.tenant_id = nullif(current_setting('mcp.tenant_id', true), '')
  with cascaded check option;
alter view mcp.message_scores alter column tenant_id set default nullif(current_setting('mcp.tenant_id', true), '');

create view mcp.model_usage with (security_barrier) as
select u.tenant_id,
       u.day,
       u.tokens
  from mcp_store.model_usage u
 where u.tenant_id = nullif(current_setting('mcp.tenant_id', true), '')
  with cascaded check option;
alter view mcp.model_usage alter column tenant_id set default nullif(current_setting('mcp.tenant_id', true), '');

grant select on mcp.message_scores, mcp.model_usage to mcp_writer;
grant insert (digest, rubric, model, grammar, tone, brand, predominant_tone, findings),
      update (grammar, tone, brand, predominant_tone, findings, created_at),
      delete
   on mcp.message_scores to mcp_writer;
grant insert (day, tokens), update (tokens) on mcp.model_usage to mcp_writer;

reset role;
