-- Contacts by name, phone, e-mail, decision, owner or stage, newest first, a page at a time.
--
-- $1 pattern        text         with % around it; null: any name
-- $2 digits         text         digits of a phone with % around them; null: do not search phones
-- $3 status         text         qualified, unqualified or undecided; null: any
-- $4 agent_id       uuid         the owner; null: any
-- $5 stage_id       uuid         a stage that the contact stands in; null: any
-- $6 after_created  timestamptz  the last row of the page before; null: the first page
-- $7 after_id       uuid
-- $8 rows           int          one more than the page, to see whether another follows
--
-- Planned anew each time, so that what is not asked for costs nothing.
-- Scans the tenant's contacts by contacts_tenant_created_idx: a search inside a name has no
-- index, since no pattern may look at a row before its tenant is known. Decision and owner
-- cost a look-up each, so they are read for the page only, and for all only if asked for.
select c.id as contact_id,
       c.name,
       c.phone,
       c.email,
       c.status,
       c.owner_id,
       c.version,
       c.created_at,
       c.last_interaction_at
  from (select f.id
          from mcp.contacts f
         where ($1::text is null
                or mcp.folded(f.name) like (select mcp.folded($1))
                or mcp.folded(f.email) like (select mcp.folded($1))
                or ($2::text is not null and regexp_replace(f.phone, '\D', '', 'g') like $2))
           and ($3::text is null or f.status = $3)
           and ($4::uuid is null or f.owner_id = $4)
           and ($5::uuid is null or exists (
               select
                 from mcp.stage_history h
                where h.contact_id = f.id
                  and h.exited_at is null
                  and h.stage_id = $5))
           and ($6::timestamptz is null or f.created_at < $6 or (f.created_at = $6 and f.id < $7::uuid))
         order by f.created_at desc, f.id desc
         limit $8) found
 cross join lateral (
       select p.id,
              p.name,
              p.phone,
              p.email,
              p.status,
              p.owner_id,
              p.version,
              p.created_at,
              p.last_interaction_at
         from mcp.contacts p
        where p.id = found.id
        limit 1) c
 order by c.created_at desc, c.id desc
