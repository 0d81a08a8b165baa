-- Names that organizations gave up: a slug or a subdomain that was changed leads to its organization for 90 days more, and
-- nobody else gets it meanwhile. Whoever took it at once would get the visitors, links and bookmarks of the one before.

create table tenancy.former_names (
    kind text not null,
    name text not null,
    organization_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    kept_until timestamptz not null default now() + interval '90 days',
    constraint former_names_pkey primary key (kind, name),
    constraint former_names_organization_fkey foreign key (organization_id) references tenancy.organizations (id),
    constraint former_names_kind check (kind in ('slug', 'subdomain'))
);

comment on table tenancy.former_names is
    'Slugs and subdomains that organizations had before. Global, because names are: the key has no tenant in it on purpose. Public, like the names.';
comment on column tenancy.former_names.kind is 'slug or subdomain.';
comment on column tenancy.former_names.name is 'The name.';
comment on column tenancy.former_names.organization_id is 'The organization that had it.';
comment on column tenancy.former_names.kept_until is 'Until when it leads there, and is nobody else''s.';
create index former_names_organization_idx on tenancy.former_names (organization_id);

alter table tenancy.former_names enable row level security;
alter table tenancy.former_names force row level security;
create policy own_select on tenancy.former_names as permissive for select to appointd_api
    using (organization_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid));
create policy gate_all on tenancy.former_names as permissive for all to appointd_gate using (true) with check (true);
call app.admit('tenancy.former_names', 'appointd_owner', array['all'], 'organization_id');
grant select on tenancy.former_names to appointd_api;
grant select, insert, update, delete on tenancy.former_names to appointd_gate;

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
                ('subdomain', case when tg_op = 'UPDATE' then old.subdomain end, new.subdomain, 'organizations_subdomain_key')
        ) as c (kind, was, is_now, key)
        where c.was is distinct from c.is_now
    loop
        if exists (
            select
            from tenancy.former_names as f
            where
                f.kind = changed.kind and f.name = changed.is_now and f.organization_id <> new.id and f.kept_until > now()
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
    'Trigger, after an organization got or changed its slug or subdomain: keeps the old name for it, and refuses one that is kept for another, as the unique key would.';
grant execute on function tenancy.keep_names() to appointd_owner;
reset role;
revoke create on schema tenancy from appointd_gate;

create trigger keep_names after insert or update of slug, subdomain on tenancy.organizations
for each row execute function tenancy.keep_names();
