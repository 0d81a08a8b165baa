-- Invitations, API keys, calendar feeds and webhook endpoints across members: what a member handed out is worth at most
-- what the member may give now. Asked where it is used, and ended with its giver. Functions that run as appointd_gate.

-- A function's owner must be able to create in its schema; the gate may only while this migration runs.
grant create on schema tenancy to appointd_gate;
set local role appointd_gate;

create function tenancy.standing(actor uuid) returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    tenant constant uuid := app.tenant();
    held text;
    maker uuid;
begin
    select m.role into held
    from tenancy.members as m
    where m.tenant_id = tenant and m.account_id = actor and m.status = 'active' and m.role <> 'customer';
    if held is not null then
        return held;
    end if;
    select k.role, k.created_by into held, maker
    from tenancy.api_keys as k
    where
        k.tenant_id = tenant
        and k.id = actor
        and k.revoked_at is null
        and (k.expires_at is null or k.expires_at > now());
    if held is null or not app.has_feature(tenant, 'api_access') then
        return null;
    end if;
    return app.lower_role(held, tenancy.standing(maker));
end
$$;

comment on function tenancy.standing(uuid) is
    'The present role of an account or an API key in the organization in the context; null: no active member '
    '(customers do not count) and no valid key.';

create function tenancy.may_give(giver_role text, given_role text) returns boolean
language plpgsql stable
as $$
begin
    return coalesce(
        given_role = any (app.roles_up_to(giver_role))
        and giver_role = any (app.roles_from(case when given_role = 'customer' then 'staff' else 'admin' end)),
        false
    );
end
$$;

comment on function tenancy.may_give(text, text) is
    'Whether a member with one role may invite a person to another: staff invite customers; admins and owners invite '
    'members up to their own role.';

create function tenancy.end_handed_out(tenant uuid, giver uuid) returns void
language plpgsql volatile
as $$
declare
    entered constant uuid := app.tenant();
begin
    perform app.set_tenant(tenant);
    -- Deletes the invitations of the keys as well: tenancy.end_handed_out_by_key.
    update tenancy.api_keys as k
    set revoked_at = now()
    where k.tenant_id = tenant and k.created_by = giver and k.revoked_at is null;
    delete from tenancy.invitations as i where i.tenant_id = tenant and i.created_by = giver;
    delete from scheduling.calendar_feeds as f where f.tenant_id = tenant and f.created_by = giver;
    perform messaging.end_endpoints(tenant, giver);
    perform app.set_tenant(entered);
end
$$;

comment on function tenancy.end_handed_out(uuid, uuid) is
    'Ends what an account handed out in an organization: revokes its API keys; deletes its invitations and calendar '
    'feeds, and disables its webhook endpoints, with those of its keys.';

create function tenancy.keep_handed_out_below() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    entered constant uuid := app.tenant();
begin
    if tg_op = 'DELETE' or new.role = 'customer' then
        perform tenancy.end_handed_out(old.tenant_id, old.account_id);
        return null;
    end if;
    perform app.set_tenant(new.tenant_id);
    update tenancy.api_keys as k
    set role = new.role
    where
        k.tenant_id = new.tenant_id
        and k.created_by = new.account_id
        and k.revoked_at is null
        and not k.role = any (app.roles_up_to(new.role));
    delete from tenancy.invitations as i
    where
        i.tenant_id = new.tenant_id
        and i.created_by = new.account_id
        and not tenancy.may_give(new.role, i.role);
    delete from tenancy.invitations as i
    using tenancy.api_keys as k
    where
        i.tenant_id = new.tenant_id
        and k.tenant_id = new.tenant_id
        and k.created_by = new.account_id
        and i.created_by = k.id
        and not tenancy.may_give(k.role, i.role);
    -- Admins may make endpoints; no key has a higher role than its maker.
    if not new.role = any (app.roles_from('admin')) then
        perform messaging.end_endpoints(new.tenant_id, new.account_id);
        perform messaging.end_endpoints(new.tenant_id, k.id)
        from tenancy.api_keys as k
        where k.tenant_id = new.tenant_id and k.created_by = new.account_id and k.revoked_at is null;
    end if;
    perform app.set_tenant(entered);
    return null;
end
$$;

comment on function tenancy.keep_handed_out_below() is
    'Trigger, after a member was removed or demoted: ends what they handed out, or lowers it to what they may give '
    'now.';

create function tenancy.end_handed_out_by_key() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    entered constant uuid := app.tenant();
begin
    perform app.set_tenant(new.tenant_id);
    delete from tenancy.invitations as i where i.tenant_id = new.tenant_id and i.created_by = new.id;
    delete from scheduling.calendar_feeds as f where f.tenant_id = new.tenant_id and f.created_by = new.id;
    perform messaging.end_endpoints(new.tenant_id, new.id);
    perform app.set_tenant(entered);
    return null;
end
$$;

comment on function tenancy.end_handed_out_by_key() is
    'Trigger, after an API key was revoked: deletes the invitations and calendar feeds it made, and disables its '
    'webhook endpoints.';

create function tenancy.invitation_for(
    in organization_id uuid,
    in invitation_id uuid,
    in token_hash bytea,
    out email text,
    out role text,
    out organization_name text,
    out account_id uuid
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform app.stay_outside();
    if not tenancy.host_admits(organization_id) then
        return;
    end if;
    perform app.set_tenant(organization_id);
    select i.email, i.role, o.name, a.id
    into email, role, organization_name, account_id
    from tenancy.invitations as i
    join tenancy.organizations as o on o.id = i.tenant_id
    left join identity.accounts as a on a.email = i.email
    where
        i.tenant_id = organization_id
        and i.id = invitation_id
        and i.token_hash = invitation_for.token_hash
        and i.expires_at > now()
        and tenancy.may_give(tenancy.standing(i.created_by), i.role)
        and o.status = 'active';
end
$$;

comment on function tenancy.invitation_for(uuid, uuid, bytea) is
    'What an invitation offers to the holder of its token: one row, all null if it is not valid or its giver may no '
    'longer give the role. account_id: the account of the invited address, if any.';

create function tenancy.accept_invitation(
    organization_id uuid, invitation_id uuid, token_hash bytea, joining_account uuid, full_name text, password_hash text
) returns text
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    invitation tenancy.invitations;
begin
    perform app.stay_outside();
    if not tenancy.host_admits(organization_id) then
        return 'unknown';
    end if;
    perform app.set_tenant(organization_id);
    perform app.set_account(joining_account);
    -- Deleted first: of two that accept at the same time, one finds it.
    delete from tenancy.invitations as i
    where
        i.tenant_id = organization_id
        and i.id = invitation_id
        and i.token_hash = accept_invitation.token_hash
        and i.expires_at > now()
        and tenancy.may_give(tenancy.standing(i.created_by), i.role)
        and exists (select from tenancy.organizations as o where o.id = i.tenant_id and o.status = 'active')
    returning i.* into invitation;
    if invitation.id is null then
        return 'unknown';
    end if;
    if password_hash is not null then
        -- The address is verified: the token was sent there.
        insert into identity.accounts (id, email, password_hash, full_name, email_verified_at)
        values (joining_account, invitation.email, password_hash, full_name, now());
    elsif not exists (
        select from identity.accounts as a where a.id = joining_account and a.email = invitation.email
    ) then
        raise exception 'for another account' using errcode = 'check_violation', constraint = 'invitation_address';
    end if;
    if tenancy.bound_elsewhere(joining_account, organization_id, invitation.role) then
        raise exception 'bound elsewhere' using errcode = 'check_violation', constraint = 'exclusive_members';
    end if;
    if invitation.contact_id is not null then
        update crm.contacts as c
        set account_id = joining_account, updated_at = now()
        where
            c.tenant_id = organization_id
            and c.id = invitation.contact_id
            and (c.account_id is null or c.account_id = joining_account);
        if not found then
            raise exception 'the contact has another account'
                using errcode = 'check_violation', constraint = 'contact_account';
        end if;
    end if;
    -- A member who is invited as a customer keeps their role.
    insert into tenancy.members (account_id, role)
    values (joining_account, invitation.role)
    on conflict (tenant_id, account_id) do update
    set role = excluded.role, status = 'active', updated_at = now()
    where members.role = 'customer' and excluded.role <> 'customer';
    return 'joined';
end
$$;

comment on function tenancy.accept_invitation(uuid, uuid, bytea, uuid, text, text) is
    'Makes an account a member, by the token of an invitation, which is used up: `joined` (an existing member keeps '
    'their role), or `unknown` if it is not valid or its giver may no longer give the role. With a password hash the '
    'account is created. Fails with 23514 on invitation_address (the account has another e-mail address), '
    'exclusive_members, contact_account (the contact has another account) or plan_limit_members, and with 23505 on '
    'accounts_email_key.';

grant execute on function
    tenancy.invitation_for(uuid, uuid, bytea),
    tenancy.accept_invitation(uuid, uuid, bytea, uuid, text, text)
to appointd_door;
-- The role that makes a trigger must be allowed to call its function.
grant execute on function tenancy.keep_handed_out_below(), tenancy.end_handed_out_by_key() to appointd_owner;
reset role;
revoke create on schema tenancy from appointd_gate;

create trigger keep_handed_out_below_delete after delete on tenancy.members
for each row execute function tenancy.keep_handed_out_below();
create trigger keep_handed_out_below_update after update of role on tenancy.members
for each row when (new.role <> old.role and not old.role = any (app.roles_up_to(new.role)))
execute function tenancy.keep_handed_out_below();
create trigger end_handed_out_by_key after update of revoked_at on tenancy.api_keys
for each row when (old.revoked_at is null and new.revoked_at is not null)
execute function tenancy.end_handed_out_by_key();
