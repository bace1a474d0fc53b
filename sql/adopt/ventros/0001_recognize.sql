-- Recognizes a Ventros CRM database: every table and column that the views need is in the schema public.
--
-- The source adopt/ventros puts our own schemas mcp_store and mcp beside the CRM's tables, and does no
-- DDL on them. Its files are those of sql/crm with as few differences as possible; a test names them.
-- docs/adopting-ventros.md says what an operator has to know and do.

do $$
declare
    lacking text;
begin
    select string_agg(format('public.%s (%s)', needed.name, needed.lacking), ', ' order by needed.name) into lacking
      from (select wanted.name,
                   string_agg(wanted.attribute, ', ' order by wanted.attribute) as lacking
              from (select kept.name,
                           regexp_split_to_table(kept.attributes, '\s+') as attribute
                      from (values
                           ('agents', 'id tenant_id name type status active user_id deleted_at'),
                           ('agent_sessions', 'id agent_id session_id role_in_session joined_at left_at is_active '
                                              'created_at updated_at deleted_at'),
                           ('contacts', 'id version project_id tenant_id name phone email source_channel language tags '
                                        'last_interaction_at created_at updated_at deleted_at'),
                           ('contact_events', 'id contact_id session_id tenant_id event_type category priority source '
                                              'title description payload triggered_by integration_source '
                                              'visible_to_client occurred_at created_at deleted_at'),
                           ('contact_pipeline_statuses', 'id contact_id pipeline_id status_id tenant_id entered_at '
                                                         'exited_at duration notes metadata created_at updated_at '
                                                         'deleted_at'),
                           ('messages', 'id tenant_id timestamp from_me contact_id session_id content_type text '
                                        'agent_id source deleted_at'),
                           ('outbox_events', 'id event_id aggregate_id aggregate_type event_type event_data metadata '
                                             'tenant_id project_id created_at'),
                           ('pipelines', 'id tenant_id name position active deleted_at'),
                           ('pipeline_statuses', 'id pipeline_id name status_type position active deleted_at'),
                           ('sessions', 'id version contact_id tenant_id pipeline_id started_at ended_at status '
                                        'last_activity_at message_count agent_ids agent_transfers sentiment resolved '
                                        'escalated updated_at deleted_at')) kept (name, attributes)) wanted
             where not exists (
                   select
                     from pg_attribute a
                    where a.attrelid = to_regclass('public.' || wanted.name)
                      and a.attname = wanted.attribute
                      and not a.attisdropped)
             group by wanted.name) needed;
    if lacking is not null then
        raise exception 'this is not a Ventros CRM database as this version knows it, for it lacks columns: %', lacking;
    end if;
end
$$;

-- Whether the CRM keeps custom fields of contacts. Its SQL migrations alone make no such table, and its
-- own way of setting a field needs the table to be unique by contact and key, as ours does.
create function mcp_store.has_custom_fields() returns boolean
language sql stable
return exists (
    select
      from pg_index i
     where i.indrelid = to_regclass('public.contact_custom_fields')
       and i.indisunique
       and i.indisvalid
       and i.indpred is null
       and i.indnkeyatts = 2
       and (select array_agg(a.attname::text order by a.attname)
              from pg_attribute a
             where a.attrelid = i.indrelid
               and a.attnum = any (i.indkey)) = array['contact_id', 'field_key']);
revoke all on function mcp_store.has_custom_fields() from public;
