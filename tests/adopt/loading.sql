-- For tests that load rows in the shape of our own tables: what the CRM's code would add to them.

-- Some tests look at all contacts and conversations that there are.
delete from public.sessions;
delete from public.contacts;

create function public.complete_user() returns trigger language plpgsql as $$
begin
    -- Of tenants that were made up, several have users of the same address.
    new.email := new.id || '@example.com';
    new.password_hash := coalesce(new.password_hash, 'x');
    return new;
end
$$;
create trigger complete_user before insert on public.users
    for each row execute function public.complete_user();

create function public.complete_project() returns trigger language plpgsql as $$
begin
    if new.billing_account_id is null then
        new.billing_account_id := gen_random_uuid();
        insert into public.billing_accounts (id, user_id, name, billing_email)
        values (new.billing_account_id, new.user_id, new.name, 'billing@example.com');
    end if;
    return new;
end
$$;
create trigger complete_project before insert on public.projects
    for each row execute function public.complete_project();

create function public.complete_channel() returns trigger language plpgsql as $$
begin
    new.user_id := coalesce(new.user_id, (select p.user_id from public.projects p where p.id = new.project_id));
    return new;
end
$$;
create trigger complete_channel before insert on public.channels
    for each row execute function public.complete_channel();
