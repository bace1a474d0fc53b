-- Three roles: the owner of the views, and the two that the server may take.
--
-- mcp_owner   owns the views, and has of each of the CRM's tables only what they need.
-- mcp_reader  may select from the views.
-- mcp_writer  may also write through those that are writable.
-- None of them can log in; the server's login has no right but to take the last two.
-- Roles belong to the whole cluster, so another database may have made them already,
-- or be making them at this very moment; or an administrator has, because who migrates may not.
--
-- The CRM's policies let its own role see the rows of one user, and everybody else none. The views'
-- owner has to see all, since the views compare tenants; so mcp_owner passes by row-level security.
-- Its grants in the next file say of which tables and columns.
do $$
declare
    wanted text;
begin
    foreach wanted in array array['mcp_owner', 'mcp_reader', 'mcp_writer'] loop
        begin
            if not exists (select from pg_roles where rolname = wanted) then
                execute format('create role %I nologin noinherit', wanted);
            end if;
        exception when duplicate_object or unique_violation then
            null;
        end;
    end loop;
    -- Who migrates must be able to act for the owner; a superuser already is.
    if not (select rolsuper from pg_roles where rolname = current_user)
       and not pg_has_role(current_user, 'mcp_owner', 'member') then
        execute format('grant mcp_owner to %I', current_user);
    end if;
    if not (select rolbypassrls from pg_roles where rolname = 'mcp_owner') then
        begin
            alter role mcp_owner bypassrls;
        exception when insufficient_privilege then
            null;  -- whoever may has to; whether mcp_owner sees the rows is tried in the next file
        end;
    end if;
end
$$;
