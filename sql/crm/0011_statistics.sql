-- Statistics that soon know a tenant whose rows have just been imported.
--
-- PostgreSQL makes them anew when a tenth of a table has changed, which of a large table no single tenant is. Until then
-- it takes an unknown tenant to have a row or none, and looks up each contact among all of the tenant's: to make the
-- facts of 1,000 of 20,000 contacts took 42 seconds instead of 0.2. To make statistics takes a second or two, however
-- large the table is.

do $$
declare
    named regclass;
begin
    foreach named in array array['public.contacts', 'public.contact_custom_fields', 'public.contact_pipeline_statuses',
                                 'public.contact_events', 'public.sessions', 'public.agent_sessions', 'public.messages',
                                 'public.session_ratings', 'mcp_store.qualifications', 'mcp_store.assignments']::regclass[]
    loop
        execute format('alter table %s set (autovacuum_analyze_scale_factor = 0.0002, autovacuum_analyze_threshold = 2000)',
                       named);
    end loop;
end
$$;
