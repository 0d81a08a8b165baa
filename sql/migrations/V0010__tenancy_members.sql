-- Members join accounts to organizations, with a role. They come by invitation and go by removal; the last owner of an
-- organization never goes. Customers are members too, with a role below all others that no policy for the people who
-- work there admits.

create table tenancy.members (
    tenant_id uuid not null default app.tenant(),
    account_id uuid not null,
    role text not null,
    created_at timestamptz not null default now(),
    status text not null default 'active',
    updated_at timestamptz not null default now(),
    constraint members_pkey primary key (tenant_id, account_id),
    constraint members_tenant_fkey foreign key (tenant_id) references tenancy.organizations (id),
    constraint members_account_fkey foreign key (account_id) references identity.accounts (id),
    constraint members_role check (role in ('owner', 'admin', 'manager', 'staff', 'viewer', 'customer')),
    constraint members_status check (status in ('active', 'suspended'))
);

comment on table tenancy.members is 'Memberships: people who work for an organization, and customers with an account.';
comment on column tenancy.members.account_id is 'The person.';
comment on column tenancy.members.role is
    'owner > admin > manager > staff > viewer; or customer. The policies of every table name the roles they admit.';
comment on column tenancy.members.created_at is 'When the person joined.';
comment on column tenancy.members.status is 'active, or suspended: still a member, but may not enter.';
comment on column tenancy.members.updated_at is 'When role or status last changed.';

-- Sign-in finds the organizations of an account; the primary key starts at the other end.
create index members_account_idx on tenancy.members (account_id, tenant_id);
create index members_updated_idx on tenancy.members (tenant_id, updated_at);

-- The door: an account reads its own memberships before it has chosen a tenant. Writing stays within the tenant.
call app.build_wall(
    'tenancy.members', reads => 'viewer',
    door => $$account_id = (select app.account())$$
);

-- Admins change memberships up to their own role: app.build_wall cannot express the ceiling.
create policy admin_update on tenancy.members as permissive for update to appointd_api
    using (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{admin,owner}'))
        and role = any (app.roles_up_to((select app.role())))
    )
    with check (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{admin,owner}'))
        and role = any (app.roles_up_to((select app.role())))
    );
create policy admin_delete on tenancy.members as permissive for delete to appointd_api
    using (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{admin,owner}'))
        and role = any (app.roles_up_to((select app.role())))
    );

-- What passes through the door.
create policy own_select on tenancy.members as permissive for select to appointd_api
    using (account_id = (select app.account()));
create policy gate_select on tenancy.members as permissive for select to appointd_gate
    using (account_id = (select app.account()));
create policy gate_insert on tenancy.members as permissive for insert to appointd_gate
    with check (tenant_id = (select app.tenant()));
create policy gate_tenant_select on tenancy.members as permissive for select to appointd_gate
    using (tenant_id = (select app.tenant()));

-- Accepting an invitation makes a customer a member who works there.
create policy gate_tenant_update on tenancy.members as permissive for update to appointd_gate
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));

-- Leaving an organization.
create policy gate_tenant_delete on tenancy.members as permissive for delete to appointd_gate
    using (tenant_id = (select app.tenant()));
call app.admit('tenancy.members', 'appointd_owner', array['all']);
call operations.audit('tenancy.members');
call app.date_changes('tenancy.members');

grant select, update (role, status, updated_at), delete on tenancy.members to appointd_api;
grant select, insert (account_id, role), update (role, status, updated_at), delete on tenancy.members to appointd_gate;

-- Colleagues see each other's names. Through the one membership they share, and no other.
create policy colleagues_select on identity.accounts as permissive for select to appointd_api
    using (
        (select app.role() = any ('{viewer,staff,manager,admin,owner}'))
        and exists (
            select
            from tenancy.members as m
            where
                m.tenant_id = (select app.tenant())
                and m.account_id = accounts.id
        )
    );

-- A rule that no check constraint can express, reported like one: SQLSTATE 23514, members_last_owner.
create function tenancy.keep_an_owner() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    -- Two owners who leave at the same time wait for each other here; the second sees that the first has left.
    perform from tenancy.subscriptions as s where s.tenant_id = old.tenant_id for no key update;
    if not exists (
        select
        from tenancy.members as m
        where m.tenant_id = old.tenant_id and m.role = 'owner' and m.status = 'active'
    )
    and exists (select from tenancy.organizations as o where o.id = old.tenant_id and o.status <> 'deleted') then
        raise exception 'an organization has an active owner'
            using errcode = 'check_violation', constraint = 'members_last_owner';
    end if;
    return null;
end
$$;

comment on function tenancy.keep_an_owner() is
    'Trigger, after an owner was removed, demoted or suspended: fails if the organization has no active owner left.';

create trigger keep_an_owner_update after update of role, status on tenancy.members
for each row when (old.role = 'owner' and (new.role <> 'owner' or new.status <> 'active'))
execute function tenancy.keep_an_owner();
create trigger keep_an_owner_delete after delete on tenancy.members
for each row when (old.role = 'owner')
execute function tenancy.keep_an_owner();

-- Runs as the gate: the caller may not see the other owners.
grant create on schema tenancy to appointd_gate;
alter function tenancy.keep_an_owner() owner to appointd_gate;
revoke create on schema tenancy from appointd_gate;

create trigger keep_within_plan_insert after insert on tenancy.members
for each row when (new.role <> 'customer') execute function tenancy.keep_within_plan('members');
create trigger keep_within_plan_update after update of status, role on tenancy.members
for each row when (
    new.role <> 'customer' and new.status = 'active' and (old.role = 'customer' or old.status <> 'active')
)
execute function tenancy.keep_within_plan('members');
