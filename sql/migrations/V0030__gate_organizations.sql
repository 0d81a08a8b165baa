-- Organizations: registering, creating, deleting, restoring and leaving one. Functions that run as appointd_gate. One
-- that works inside an organization enters it first, as every other role does, and refuses to be called in a
-- transaction that has entered one: no function moves its caller from one tenant into another.

-- A function's owner must be able to create in its schema; the gate may only while this migration runs.
grant create on schema identity, tenancy to appointd_gate;
set local role appointd_gate;

create function tenancy.found_organization(
    organization_id uuid, founder uuid, name text, slug text, subdomain text, time_zone text, plan_type text,
    disabled_features text[], exclusive_members boolean
) returns void
language plpgsql volatile
as $$
begin
    perform app.set_tenant(organization_id);
    insert into tenancy.organizations (id, name, slug, subdomain, time_zone)
    values (organization_id, name, slug, subdomain, time_zone);
    insert into tenancy.subscriptions (plan_type, disabled_features) values (plan_type, disabled_features);
    insert into tenancy.settings (exclusive_members) values (exclusive_members);
    insert into tenancy.branding (display_name) values (null);
    insert into tenancy.members (account_id, role) values (founder, 'owner');
end
$$;

comment on function tenancy.found_organization(uuid, uuid, text, text, text, text, text, text[], boolean) is
    'Creates an organization with the rows that every organization has, and its first owner. Part of registering and '
    'of creating an organization.';

create function tenancy.bound_elsewhere(account_id uuid, joining uuid, role text) returns boolean
language plpgsql volatile
as $$
declare
    kept constant uuid := app.tenant();
    membership record;
    bound boolean := false;
    joining_is_exclusive boolean;
    exclusive boolean;
begin
    if role = 'customer' then
        return false;
    end if;
    -- Concurrent joins of one account wait for each other here, so that the second counts the first.
    perform from identity.accounts as a where a.id = account_id for no key update;
    perform app.set_account(account_id);
    perform app.set_tenant(joining);
    select s.exclusive_members into joining_is_exclusive from tenancy.settings as s where s.tenant_id = joining;
    for membership in
        select m.tenant_id, m.role
        from tenancy.members as m
        join tenancy.organizations as o on o.id = m.tenant_id
        where
            m.account_id = bound_elsewhere.account_id
            and m.tenant_id <> joining
            and m.role <> 'customer'
            -- A membership that cannot be entered does not bind.
            and m.status = 'active'
            and o.status = 'active'
    loop
        perform app.set_tenant(membership.tenant_id);
        select s.exclusive_members into exclusive from tenancy.settings as s where s.tenant_id = membership.tenant_id;
        bound :=
            bound
            or (exclusive and membership.role <> 'owner')
            -- An organization that is being created has no settings yet.
            or (coalesce(joining_is_exclusive, false) and role <> 'owner');
    end loop;
    perform app.set_tenant(kept);
    return bound;
end
$$;

comment on function tenancy.bound_elsewhere(uuid, uuid, text) is
    'Whether exclusive_members of an organization that the account belongs to, or of the one it is about to join, '
    'forbids joining. Leaves the account in the context.';

create function identity.register(
    account_id uuid, email text, password_hash text, full_name text, organization_id uuid, organization_name text,
    organization_slug text, time_zone text
) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform app.stay_outside();
    perform app.set_account(account_id);
    insert into identity.accounts (id, email, password_hash, full_name)
    values (account_id, email, password_hash, full_name);
    perform tenancy.found_organization(
        organization_id, account_id, organization_name, organization_slug, null, time_zone, 'basic', '{}', true
    );
end
$$;

comment on function identity.register(uuid, text, text, text, uuid, text, text, text) is
    'Creates an account, an organization with the smallest plan and the membership that makes the account its owner, '
    'all or nothing. A taken e-mail address or slug fails with 23505 on accounts_email_key or organizations_slug_key.';

create function tenancy.create_organization(
    organization_id uuid, name text, slug text, subdomain text, time_zone text, plan_type text, disabled_features text[]
) returns text
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    founder constant uuid := app.account();
begin
    perform app.stay_outside();
    if founder is null then
        raise exception 'no account has signed in' using errcode = 'AP401';
    end if;
    if tenancy.bound_elsewhere(founder, organization_id, 'owner') then
        return 'bound_elsewhere';
    end if;
    perform tenancy.found_organization(
        organization_id, founder, name, slug, subdomain, time_zone, plan_type, disabled_features, false
    );
    return 'created';
end
$$;

comment on function tenancy.create_organization(uuid, text, text, text, text, text, text[]) is
    'Creates an organization of the account in the context (see app.enter_account): `created`, or `bound_elsewhere` '
    'if an organization that it works for has exclusive members. Fails with 23505 on organizations_slug_key or '
    'organizations_subdomain_key.';

create function tenancy.delete_organization(grace interval) returns timestamptz
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    until timestamptz;
begin
    if app.role() is distinct from 'owner' then
        raise exception 'role too low' using errcode = 'AP403';
    end if;
    update tenancy.organizations as o
    set status = 'deleted', deleted_at = now(), purge_after = now() + grace
    where o.id = app.tenant()
    returning o.purge_after into until;
    return until;
end
$$;

comment on function tenancy.delete_organization(interval) is
    'Deletes the organization in the context; the caller must be one of its owners. It can no longer be entered, and '
    'after the grace period its rows may be purged.';

create function tenancy.restore_organization(organization_id uuid) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform app.stay_outside();
    if not exists (
        select
        from tenancy.members as m
        where
            m.tenant_id = organization_id
            and m.account_id = app.account()
            and m.role = 'owner'
            and m.status = 'active'
    ) then
        return false;
    end if;
    perform app.set_tenant(organization_id);
    update tenancy.organizations as o
    set status = 'active', deleted_at = null, purge_after = null
    where o.id = organization_id and o.status = 'deleted' and o.purge_after > now();
    return found;
end
$$;

comment on function tenancy.restore_organization(uuid) is
    'Takes back the deletion of an organization of which the account in the context is an owner; false if it is not '
    'deleted or may be purged already.';

create function tenancy.leave_organization(organization_id uuid) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform app.stay_outside();
    perform app.set_tenant(organization_id);
    delete from tenancy.members as m
    where m.tenant_id = organization_id and m.account_id = app.account();
    return found;
end
$$;

comment on function tenancy.leave_organization(uuid) is
    'Ends the membership of the account in the context, in any role; false if it has none. Fails with 23514 on '
    'members_last_owner.';

create function tenancy.list_organizations()
returns table (id uuid, slug text, name text, status text, created_at timestamptz, purge_after timestamptz)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select o.id, o.slug, o.name, o.status, o.created_at, o.purge_after
    from tenancy.organizations as o
    order by o.slug;
end
$$;

comment on function tenancy.list_organizations() is 'All organizations, for the operator.';

grant execute on function
    tenancy.create_organization(uuid, text, text, text, text, text, text[]),
    tenancy.delete_organization(interval),
    tenancy.leave_organization(uuid)
to appointd_api;
grant execute on function
    identity.register(uuid, text, text, text, uuid, text, text, text),
    tenancy.restore_organization(uuid)
to appointd_door;
grant execute on function tenancy.list_organizations() to appointd_owner;
reset role;
revoke create on schema identity, tenancy from appointd_gate;
