-- Services: what can be booked, how long it takes and at which starts it is offered.

create table scheduling.services (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    id uuid not null,
    name text not null,
    description text,
    duration_minutes integer not null,
    slot_step_minutes integer not null,
    active boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    renames integer not null default 0,
    renamed_at timestamptz,
    constraint services_pkey primary key (tenant_id, id),
    constraint services_tenant_fkey foreign key (tenant_id) references tenancy.organizations (id),
    constraint services_name_length check (length(name) between 1 and 200),
    constraint services_description_length check (length(description) between 1 and 2000),
    constraint services_duration_bounds check (duration_minutes between 1 and 1440),
    constraint services_slot_step_bounds check (slot_step_minutes between 1 and 1440)
);

comment on table scheduling.services is 'Something an organization offers by appointment.';
comment on column scheduling.services.tenant_id is 'The organization. Filled from the context; the server has no right to write it.';
comment on column scheduling.services.id is 'UUIDv7, so that the order of ids is the order of creation.';
comment on column scheduling.services.name is 'Name shown to people, 1 to 200 characters.';
comment on column scheduling.services.description is 'What the customer should know, at most 2,000 characters; null where there is nothing to say.';
comment on column scheduling.services.duration_minutes is 'Elapsed minutes an appointment takes, 1 to 1,440.';
comment on column scheduling.services.slot_step_minutes is 'Minutes from one offered start to the next, counted from the beginning of each interval of working hours, 1 to 1,440.';
comment on column scheduling.services.active is 'Whether it can be booked. A service with appointments cannot be deleted, only made inactive.';
comment on column scheduling.services.created_at is 'When the service was created.';
comment on column scheduling.services.updated_at is 'When the row last changed.';
comment on column scheduling.services.renames is 'How often the name changed. Part of the SEQUENCE of calendar entries (RFC 5545 section 3.8.7.4), whose summary shows the name.';
comment on column scheduling.services.renamed_at is 'When the name last changed; null: never.';

call app.build_wall('scheduling.services', reads => 'viewer', inserts => 'manager', updates => 'manager', deletes => 'manager');

grant select, delete on scheduling.services to appointd_api;
grant insert (id, name, description, duration_minutes, slot_step_minutes) on scheduling.services to appointd_api;
grant update (name, description, duration_minutes, slot_step_minutes, active, updated_at, renames, renamed_at) on scheduling.services to appointd_api;
