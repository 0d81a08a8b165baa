-- Providers: the people who are booked. Whatever can be busy is a resource; a provider is the kind of resource that has
-- a name and working hours of its own. Claims on time refer to resources, so that there is one place where time is taken.

create table scheduling.resources (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    id uuid not null,
    kind text not null,
    constraint resources_pkey primary key (tenant_id, id),
    constraint resources_kind_key unique (tenant_id, id, kind),
    constraint resources_tenant_fkey foreign key (tenant_id) references tenancy.organizations (id),
    constraint resources_kind check (kind in ('provider'))
);

comment on table scheduling.resources is 'Whatever can be in one place at a time only. Its time is taken by rows of scheduling.claims.';
comment on column scheduling.resources.tenant_id is 'The organization. Filled from the context; the server has no right to write it.';
comment on column scheduling.resources.id is 'UUIDv7; a provider has the same id as its resource.';
comment on column scheduling.resources.kind is 'provider: a person.';

call app.build_wall('scheduling.resources', reads => 'viewer', inserts => 'admin', deletes => 'admin');

grant select, delete on scheduling.resources to appointd_api;
grant insert (id, kind) on scheduling.resources to appointd_api;


create table scheduling.providers (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    id uuid not null,
    kind text not null generated always as ('provider') stored,
    name text not null,
    active boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    renamed_at timestamptz,
    constraint providers_pkey primary key (tenant_id, id),
    constraint providers_resource_fkey foreign key (tenant_id, id, kind)
        references scheduling.resources (tenant_id, id, kind) on delete cascade,
    constraint providers_name_length check (length(name) between 1 and 200)
);

comment on table scheduling.providers is 'A person who gives appointments.';
comment on column scheduling.providers.tenant_id is 'The organization. Filled from the context; the server has no right to write it.';
comment on column scheduling.providers.id is 'The id of the resource whose time is booked.';
comment on column scheduling.providers.kind is 'Always provider: ties the row to a resource of that kind.';
comment on column scheduling.providers.name is 'Name shown to people, 1 to 200 characters.';
comment on column scheduling.providers.active is 'Whether the provider can be booked. One with appointments cannot be deleted, only made inactive.';
comment on column scheduling.providers.created_at is 'When the provider was created.';
comment on column scheduling.providers.updated_at is 'When the row last changed.';
comment on column scheduling.providers.renamed_at is 'When the name last changed; null: never. The description of calendar entries shows the name.';

call app.build_wall('scheduling.providers', reads => 'viewer', inserts => 'admin', updates => 'admin', deletes => 'admin');

grant select on scheduling.providers to appointd_api;
grant insert (id, name) on scheduling.providers to appointd_api;
grant update (name, active, updated_at, renamed_at) on scheduling.providers to appointd_api;
