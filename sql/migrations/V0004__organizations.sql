-- Organizations are the tenants; members join accounts to them with a role.

create table tenancy.organizations (
    id uuid not null,
    name text not null,
    slug text not null,
    time_zone text not null default 'UTC',
    status text not null default 'active',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint organizations_pkey primary key (id),
    constraint organizations_slug_key unique (slug),
    constraint organizations_name_length check (length(name) between 1 and 200),
    constraint organizations_slug_form check (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    constraint organizations_time_zone_length check (length(time_zone) between 1 and 64),
    constraint organizations_status check (status in ('active', 'suspended'))
);

comment on table tenancy.organizations is 'A business that gives appointments: the tenant every other row belongs to.';
comment on column tenancy.organizations.id is 'UUIDv7. This is the tenant_id of every tenant table.';
comment on column tenancy.organizations.name is 'Name shown to people, 1 to 200 characters.';
comment on column tenancy.organizations.slug is 'Name for addresses: one DNS label (RFC 1123 section 2.1), lower case. Unique in the whole system.';
comment on column tenancy.organizations.time_zone is 'IANA time zone name, checked by the server, in which times are shown where nobody asks for another.';
comment on column tenancy.organizations.status is 'active, or suspended: a suspended organization lets nobody in (see app.enter).';
comment on column tenancy.organizations.created_at is 'When the organization was registered.';
comment on column tenancy.organizations.updated_at is 'When the row last changed.';

call app.build_wall('tenancy.organizations', reads => 'viewer', updates => 'admin', tenant_column => 'id');
create policy gate_insert on tenancy.organizations as permissive for insert to appointd_gate
    with check (id = (select nullif(current_setting('app.tenant_id', true), '')::uuid));

-- app.enter asks for the status before the member's role is known.
create policy entering_select on tenancy.organizations as permissive for select to appointd_api
    using (id = (select nullif(current_setting('app.tenant_id', true), '')::uuid));

grant select, update (name, slug, time_zone, updated_at) on tenancy.organizations to appointd_api;
-- Sign-in passes over suspended organizations.
create policy gate_select on tenancy.organizations as permissive for select to appointd_gate
    using (id = (select nullif(current_setting('app.tenant_id', true), '')::uuid));
grant select (id, status), insert on tenancy.organizations to appointd_gate;


create table tenancy.members (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    account_id uuid not null,
    role text not null,
    created_at timestamptz not null default now(),
    constraint members_pkey primary key (tenant_id, account_id),
    constraint members_tenant_fkey foreign key (tenant_id) references tenancy.organizations (id),
    constraint members_account_fkey foreign key (account_id) references identity.accounts (id),
    constraint members_role check (role in ('owner', 'admin', 'manager', 'staff', 'viewer'))
);

comment on table tenancy.members is 'Who works for which organization, and what they may do there.';
comment on column tenancy.members.tenant_id is 'The organization.';
comment on column tenancy.members.account_id is 'The person.';
comment on column tenancy.members.role is 'owner > admin > manager > staff > viewer. The policies of every table name the roles they admit.';
comment on column tenancy.members.created_at is 'When the person joined.';

-- Sign-in finds the organizations of an account; the primary key starts at the other end.
create index members_account_idx on tenancy.members (account_id, tenant_id);

-- The one table whose floor has a second door: an account may read its own memberships before it has chosen a tenant.
-- Hence its policies are written out here instead of by app.build_wall. Writing stays with the tenant.
alter table tenancy.members enable row level security;
alter table tenancy.members force row level security;

create policy tenant_floor_select on tenancy.members as restrictive for select to public
    using (
        tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid)
        or account_id = (select nullif(current_setting('app.account_id', true), '')::uuid)
    );
create policy tenant_floor_insert on tenancy.members as restrictive for insert to public
    with check (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid));
create policy tenant_floor_update on tenancy.members as restrictive for update to public
    using (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid))
    with check (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid));
create policy tenant_floor_delete on tenancy.members as restrictive for delete to public
    using (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid));

create policy viewer_select on tenancy.members as permissive for select to appointd_api
    using (
        tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid)
        and (select current_setting('app.role', true)) = any ('{viewer,staff,manager,admin,owner}')
    );
-- app.enter reads the caller's own membership before its role is known.
create policy entering_select on tenancy.members as permissive for select to appointd_api
    using (
        tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid)
        and account_id = (select nullif(current_setting('app.account_id', true), '')::uuid)
    );
create policy gate_select on tenancy.members as permissive for select to appointd_gate
    using (account_id = (select nullif(current_setting('app.account_id', true), '')::uuid));
create policy gate_insert on tenancy.members as permissive for insert to appointd_gate
    with check (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid));

grant select on tenancy.members to appointd_api;
grant select, insert (account_id, role) on tenancy.members to appointd_gate;
