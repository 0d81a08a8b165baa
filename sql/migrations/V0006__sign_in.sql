-- What has to happen before a tenant is known: registering and signing in. Two functions that run as appointd_gate,
-- which bypasses nothing: it has policies of its own on three tables and no others.

grant usage on schema identity, tenancy to appointd_gate;

create function identity.register(
    account_id uuid,
    email text,
    password_hash text,
    full_name text,
    organization_id uuid,
    organization_name text,
    organization_slug text
) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    execute format('set local app.tenant_id = %L', organization_id);
    insert into identity.accounts (id, email, password_hash, full_name)
    values (account_id, email, password_hash, full_name);
    insert into tenancy.organizations (id, name, slug)
    values (organization_id, organization_name, organization_slug);
    insert into tenancy.members (account_id, role)
    values (account_id, 'owner');
end
$$;

comment on function identity.register(uuid, text, text, text, uuid, text, text) is
    'Creates an account, an organization and the membership that makes the account its owner, all or nothing. '
    'A taken e-mail address or slug fails with 23505 on accounts_email_key or organizations_slug_key.';

create function identity.sign_in(
    in email text,
    out account_id uuid,
    out password_hash text,
    out tenant_id uuid
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    membership record;
begin
    select a.id, a.password_hash
    into account_id, password_hash
    from identity.accounts as a
    where a.email = sign_in.email;

    if account_id is not null then
        execute format('set local app.account_id = %L', account_id);
        -- The active organization joined first; registering makes exactly one.
        for membership in
            select m.tenant_id
            from tenancy.members as m
            where m.account_id = sign_in.account_id
            order by m.created_at, m.tenant_id
        loop
            execute format('set local app.tenant_id = %L', membership.tenant_id);
            if exists (select from tenancy.organizations as o where o.id = membership.tenant_id and o.status = 'active') then
                tenant_id := membership.tenant_id;
                exit;
            end if;
        end loop;
    end if;
end
$$;

comment on function identity.sign_in(text) is
    'What the server needs to check a password: always one row, all null where nobody has that e-mail address, '
    'tenant_id null where the account belongs to no active organization.';

-- A function's new owner must be able to create in its schema, for as long as that takes.
grant create on schema identity to appointd_gate;
alter function identity.register(uuid, text, text, text, uuid, text, text) owner to appointd_gate;
alter function identity.sign_in(text) owner to appointd_gate;
revoke create on schema identity from appointd_gate;

set local role appointd_gate;
revoke execute on function identity.register(uuid, text, text, text, uuid, text, text), identity.sign_in(text) from public;
grant execute on function identity.register(uuid, text, text, text, uuid, text, text), identity.sign_in(text) to appointd_api;
reset role;
