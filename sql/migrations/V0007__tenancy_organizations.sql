-- Organizations are the tenants. Beside them the names they gave up: a slug or a subdomain that was changed leads to
-- its organization for 90 more days, and no other organization gets it meanwhile. An organization that took it at once
-- would get the visitors, links and bookmarks of the previous one.

create table tenancy.organizations (
    id uuid not null,
    name text not null,
    slug text not null,
    time_zone text not null default 'UTC',
    status text not null default 'active',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    subdomain text,
    deleted_at timestamptz,
    purge_after timestamptz,
    constraint organizations_pkey primary key (id),
    constraint organizations_slug_key unique (slug),
    constraint organizations_subdomain_key unique (subdomain),
    constraint organizations_name_length check (length(name) between 1 and 200),
    constraint organizations_slug_form check (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    constraint organizations_subdomain_form check (subdomain ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    -- Names that a visitor would take for ours, and names that programs look up by themselves (RFC 6761, WPAD, mail
    -- clients, ISATAP). A slug is often used as a subdomain, so both lists are the same.
    constraint organizations_slug_reserved check (
        slug not in (
            'www', 'api', 'admin', 'app', 'dashboard', 'auth', 'login', 'account', 'accounts', 'billing', 'blog', 'cdn',
            'docs', 'ftp', 'help', 'internal', 'mail', 'ns1', 'ns2', 'smtp', 'static', 'status', 'support', 'test',
            'appointd', 'security', 'postmaster', 'hostmaster', 'webmaster',
            'localhost', 'local', 'wpad', 'autodiscover', 'autoconfig', 'imap', 'pop', 'pop3', 'webmail', 'mta-sts',
            'isatap'
        )
    ),
    constraint organizations_subdomain_reserved check (
        subdomain not in (
            'www', 'api', 'admin', 'app', 'dashboard', 'auth', 'login', 'account', 'accounts', 'billing', 'blog', 'cdn',
            'docs', 'ftp', 'help', 'internal', 'mail', 'ns1', 'ns2', 'smtp', 'static', 'status', 'support', 'test',
            'appointd', 'security', 'postmaster', 'hostmaster', 'webmaster',
            'localhost', 'local', 'wpad', 'autodiscover', 'autoconfig', 'imap', 'pop', 'pop3', 'webmail', 'mta-sts',
            'isatap'
        )
        and subdomain not like 'xn--%'
    ),
    constraint organizations_time_zone_length check (length(time_zone) between 1 and 64),
    constraint organizations_status check (status in ('active', 'suspended', 'deleted')),
    constraint organizations_deletion check (
        (status = 'deleted') = (deleted_at is not null and purge_after is not null)
    )
);

comment on table tenancy.organizations is
    'A business that offers appointments: the tenant that every other row belongs to.';
comment on column tenancy.organizations.id is 'UUIDv7. This is the tenant_id of every tenant table.';
comment on column tenancy.organizations.name is 'Name shown to people, 1 to 200 characters.';
comment on column tenancy.organizations.slug is
    'Name for addresses: one DNS label (RFC 1123 section 2.1), lower case. Unique in the whole system.';
comment on column tenancy.organizations.time_zone is
    'IANA time zone name, checked by the server. Times are shown in it unless a request asks for another zone.';
comment on column tenancy.organizations.status is
    'active; suspended (by the operator); deleted (by an owner, who may restore it until purge_after). Only active '
    'organizations can be entered (see app.enter).';
comment on column tenancy.organizations.created_at is 'When the organization was registered.';
comment on column tenancy.organizations.updated_at is 'When the row last changed.';
comment on column tenancy.organizations.subdomain is
    'One DNS label in front of the base domain of the server; null: none. Unique in the whole system.';
comment on column tenancy.organizations.deleted_at is 'When an owner deleted it.';
comment on column tenancy.organizations.purge_after is 'From this time on `appointd tenant purge` deletes its rows.';

-- The door: organizations are found by host, by slug or by membership before a tenant is entered. The gate does that.
call app.build_wall(
    'tenancy.organizations', reads => 'viewer', updates => 'admin', tenant_column => 'id',
    door => $$(select current_user) = 'appointd_gate'$$
);

-- app.enter asks for the status before the member's role is known.
create policy entering_select on tenancy.organizations as permissive for select to appointd_api
    using (id = (select app.tenant()));
create policy gate_insert on tenancy.organizations as permissive for insert to appointd_gate
    with check (id = (select app.tenant()));
create policy gate_select on tenancy.organizations as permissive for select to appointd_gate using (true);
create policy gate_update on tenancy.organizations as permissive for update to appointd_gate
    using (id = (select app.tenant()))
    with check (id = (select app.tenant()));
-- The tenant itself: its id is the tenant_id.
call app.admit('tenancy.organizations', 'appointd_owner', array['all'], 'id');
call operations.audit('tenancy.organizations');
call app.date_changes('tenancy.organizations');

grant select, update (name, slug, time_zone, updated_at, subdomain) on tenancy.organizations to appointd_api;
grant select, insert, update (status, deleted_at, purge_after) on tenancy.organizations to appointd_gate;


create table tenancy.former_names (
    kind text not null,
    name text not null,
    organization_id uuid not null default app.tenant(),
    kept_until timestamptz not null default now() + interval '90 days',
    constraint former_names_pkey primary key (kind, name),
    constraint former_names_organization_fkey foreign key (organization_id) references tenancy.organizations (id),
    constraint former_names_kind check (kind in ('slug', 'subdomain'))
);

comment on table tenancy.former_names is
    'Slugs and subdomains that organizations had before. Global, because names are: the key has no tenant in it on '
    'purpose. Public, as the names are.';
comment on column tenancy.former_names.kind is 'slug or subdomain.';
comment on column tenancy.former_names.name is 'The name.';
comment on column tenancy.former_names.organization_id is 'The organization that had it.';
comment on column tenancy.former_names.kept_until is
    'Until this time the name leads to the organization, and no other organization may take it.';

create index former_names_organization_idx on tenancy.former_names (organization_id);

alter table tenancy.former_names enable row level security;
alter table tenancy.former_names force row level security;

create policy own_select on tenancy.former_names as permissive for select to appointd_api
    using (organization_id = (select app.tenant()));
create policy gate_all on tenancy.former_names as permissive for all to appointd_gate using (true) with check (true);
call app.admit('tenancy.former_names', 'appointd_owner', array['all'], 'organization_id');

grant select on tenancy.former_names to appointd_api;
grant select, insert, update, delete on tenancy.former_names to appointd_gate;

-- A function's owner must be able to create in its schema; the gate may only while this migration runs.
grant create on schema tenancy to appointd_gate;
set local role appointd_gate;

create function tenancy.keep_names() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    changed record;
begin
    for changed in
        select c.kind, c.was, c.is_now, c.key
        from (
            values
                ('slug', case when tg_op = 'UPDATE' then old.slug end, new.slug, 'organizations_slug_key'),
                (
                    'subdomain', case when tg_op = 'UPDATE' then old.subdomain end, new.subdomain,
                    'organizations_subdomain_key'
                )
        ) as c (kind, was, is_now, key)
        where c.was is distinct from c.is_now
    loop
        if exists (
            select
            from tenancy.former_names as f
            where
                f.kind = changed.kind
                and f.name = changed.is_now
                and f.organization_id <> new.id
                and f.kept_until > now()
        ) then
            raise exception 'a name another organization gave up a while ago'
                using errcode = 'unique_violation', constraint = changed.key;
        end if;
        delete from tenancy.former_names as f where f.kind = changed.kind and f.name = changed.is_now;
        if changed.was is not null then
            insert into tenancy.former_names as f (kind, name, organization_id)
            values (changed.kind, changed.was, new.id)
            on conflict on constraint former_names_pkey do update
            set organization_id = excluded.organization_id, kept_until = excluded.kept_until;
        end if;
    end loop;
    return null;
end
$$;

comment on function tenancy.keep_names() is
    'Trigger, after an organization got or changed its slug or subdomain: keeps the old name for it, and refuses a '
    'name that is kept for another organization, as the unique key would.';

-- The role that makes a trigger must be allowed to call its function.
grant execute on function tenancy.keep_names() to appointd_owner;
reset role;
revoke create on schema tenancy from appointd_gate;

create trigger keep_names after insert or update of slug, subdomain on tenancy.organizations
for each row execute function tenancy.keep_names();
