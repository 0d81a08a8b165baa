-- What can be booked, with whom and with what: services, resources, providers, and which of them go together.
--
-- A resource is anything that can be busy. A provider is the kind of resource that has a name and working hours of its
-- own. Claims on time refer to resources, so that time is taken in one place.

create table scheduling.services (
    tenant_id uuid not null default app.tenant(),
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
    buffer_before_minutes integer not null default 0,
    buffer_after_minutes integer not null default 0,
    slot_offset_minutes integer not null default 0,
    min_notice_minutes integer not null default 0,
    horizon_days integer,
    bookable_from date,
    bookable_until date,
    max_per_day integer,
    max_per_week integer,
    requires_approval boolean not null default false,
    capacity integer not null default 1,
    price_amount integer,
    price_currency text,
    cancellation_notice_minutes integer not null default 0,
    contact_may_overlap boolean not null default false,
    bookable_online boolean not null default true,
    guest_requires text[] not null default '{}',
    guest_verification text not null default 'none',
    external_id text,
    metadata jsonb,
    reminder_minutes integer[],
    constraint services_pkey primary key (tenant_id, id),
    constraint services_tenant_fkey foreign key (tenant_id) references tenancy.organizations (id),
    constraint services_external_id_length check (length(external_id) between 1 and 200),
    constraint services_metadata check (
        jsonb_typeof(metadata) = 'object'
        and jsonb_array_length(jsonb_path_query_array(metadata, '$.keyvalue()')) <= 20
        and not jsonb_path_exists(metadata, '$.keyvalue() ? (!(@.key like_regex "^[A-Za-z0-9_.-]{1,40}$"))')
        -- PostgreSQL repeats at most 255 times.
        and not jsonb_path_exists(
            metadata, 'strict $.* ? (@.type() != "string" || !(@ like_regex "^.{0,250}.{0,250}$" flag "s"))'
        )
    ),
    constraint services_name_length check (length(name) between 1 and 200),
    constraint services_description_length check (length(description) between 1 and 2000),
    constraint services_duration_bounds check (duration_minutes between 1 and 1440),
    constraint services_slot_step_bounds check (slot_step_minutes between 1 and 1440),
    constraint services_slot_offset_bounds check (slot_offset_minutes between 0 and 1439),
    constraint services_buffers check (
        buffer_before_minutes >= 0 and buffer_before_minutes <= 720
        and buffer_after_minutes >= 0 and buffer_after_minutes <= 720
    ),
    -- A claim lasts a day at most (claims_time).
    constraint services_length check (duration_minutes + buffer_before_minutes + buffer_after_minutes <= 1440),
    constraint services_min_notice_bounds check (min_notice_minutes between 0 and 525600),
    constraint services_horizon_bounds check (horizon_days between 0 and 3660),
    constraint services_bookable_dates check (bookable_from <= bookable_until),
    constraint services_limits check (
        max_per_day >= 1 and max_per_day <= 10000 and max_per_week >= 1 and max_per_week <= 10000
    ),
    constraint services_capacity_bounds check (capacity between 1 and 1000),
    constraint services_price check (price_amount >= 0 and (price_amount is null) = (price_currency is null)),
    constraint services_price_currency check (price_currency ~ '^[A-Z]{3}$'),
    constraint services_cancellation_notice_bounds check (cancellation_notice_minutes between 0 and 525600),
    constraint services_guest_requires check (
        guest_requires <@ array['email', 'phone'] and cardinality(guest_requires) <= 2
    ),
    constraint services_guest_verification check (guest_verification in ('none', 'email')),
    constraint services_reminder_minutes check (
        cardinality(reminder_minutes) <= 5 and array_position(reminder_minutes, null) is null
        and 5 <= all (reminder_minutes) and 43200 >= all (reminder_minutes)
    )
);

comment on table scheduling.services is 'Something an organization offers by appointment.';
comment on column scheduling.services.id is 'UUIDv7, so that the order of ids is the order of creation.';
comment on column scheduling.services.name is 'Name shown to people, 1 to 200 characters.';
comment on column scheduling.services.description is 'Description for customers, at most 2,000 characters; null: none.';
comment on column scheduling.services.duration_minutes is 'Duration of an appointment in elapsed minutes, 1 to 1,440.';
comment on column scheduling.services.slot_step_minutes is
    'Minutes from one offered start to the next, counted from the beginning of each interval of working hours, 1 to '
    '1,440.';
comment on column scheduling.services.active is
    'Whether it can be booked. A service with appointments cannot be deleted, only made inactive.';
comment on column scheduling.services.created_at is 'When the service was created.';
comment on column scheduling.services.updated_at is 'When the row last changed.';
comment on column scheduling.services.renames is
    'How often the name changed. Part of the SEQUENCE of calendar entries (RFC 5545 section 3.8.7.4), whose summary '
    'shows the name.';
comment on column scheduling.services.renamed_at is 'When the name last changed; null: never.';
comment on column scheduling.services.buffer_before_minutes is
    'Minutes before the appointment during which the provider and the required resources are not available, 0 to 720. '
    'Not shown to customers.';
comment on column scheduling.services.buffer_after_minutes is
    'The same after the appointment, 0 to 720. Adjacent buffers add up and may extend past working hours.';
comment on column scheduling.services.slot_offset_minutes is
    'Minutes from the beginning of each interval of working hours to the first offered start, 0 to 1,439.';
comment on column scheduling.services.min_notice_minutes is
    'Minimum number of elapsed minutes between booking and start.';
comment on column scheduling.services.horizon_days is
    'Maximum number of days between today, in the zone of the organization, and the appointment; null: 3,660.';
comment on column scheduling.services.bookable_from is
    'First date of appointments, in the zone of the organization; null: no bound.';
comment on column scheduling.services.bookable_until is
    'Last date of appointments, in the zone of the organization; null: no bound.';
comment on column scheduling.services.max_per_day is
    'Maximum number of appointments a day, in the zone of the organization, of all providers together; null: '
    'unlimited. A group session counts once.';
comment on column scheduling.services.max_per_week is 'The same a week, from Monday to Sunday; null: unlimited.';
comment on column scheduling.services.requires_approval is
    'Whether a booking is pending, with its time taken, until a member confirms it.';
comment on column scheduling.services.capacity is
    'Number of seats in one start of one provider: 1 for an appointment, more for a group session.';
comment on column scheduling.services.price_amount is
    'Price in the minor unit of the currency (cents); null: no price is shown.';
comment on column scheduling.services.price_currency is 'ISO 4217 code of the currency of the price.';
comment on column scheduling.services.cancellation_notice_minutes is
    'Elapsed minutes before the start until which customers may cancel or reschedule by themselves.';
comment on column scheduling.services.contact_may_overlap is
    'Whether a contact may have it at the same time as another appointment. If not, the contact''s time is claimed '
    'like that of a provider.';
comment on column scheduling.services.bookable_online is 'Whether customers and guests see it and may book it.';
comment on column scheduling.services.guest_requires is
    'What guests have to give beside their name: email, phone. Empty: nothing.';
comment on column scheduling.services.guest_verification is
    'none; or email: a booking of a guest is held until the guest opens a link sent by e-mail.';
comment on column scheduling.services.external_id is 'Id in another system, at most 200 characters; null: none.';
comment on column scheduling.services.metadata is
    'What other programs note about it: an object of at most 20 strings of at most 500 characters; null: nothing.';
comment on column scheduling.services.reminder_minutes is
    'How many minutes before an appointment its contact is reminded of it, at most five times, each 5 to 43,200; '
    'empty: never; null: as the settings of the organization say.';

create unique index services_external_id_key on scheduling.services (tenant_id, external_id)
where external_id is not null;
create index services_updated_idx on scheduling.services (tenant_id, updated_at);

call app.build_wall(
    'scheduling.services', reads => 'viewer', inserts => 'manager', updates => 'manager', deletes => 'manager'
);
call app.open_to('scheduling.services', 'scheduler', 'select');

-- Guests and customers see what can be booked online.
call app.open_to('scheduling.services', 'guest,customer', 'select', 'active and bookable_online');
call app.admit('scheduling.services', 'appointd_gate', array['select']);
call app.admit('scheduling.services', 'appointd_owner', array['all']);
call operations.audit('scheduling.services');
call app.date_changes('scheduling.services');

grant
    select,
    insert (
        id, name, description, duration_minutes, slot_step_minutes, active, buffer_before_minutes, buffer_after_minutes,
        slot_offset_minutes, min_notice_minutes, horizon_days, bookable_from, bookable_until, max_per_day, max_per_week,
        requires_approval, capacity, price_amount, price_currency, cancellation_notice_minutes, contact_may_overlap,
        bookable_online, guest_requires, guest_verification, external_id, metadata, reminder_minutes
    ),
    update (
        name, description, duration_minutes, slot_step_minutes, active, updated_at, renames, renamed_at,
        buffer_before_minutes, buffer_after_minutes, slot_offset_minutes, min_notice_minutes, horizon_days,
        bookable_from, bookable_until, max_per_day, max_per_week, requires_approval, capacity, price_amount,
        price_currency, cancellation_notice_minutes, contact_may_overlap, bookable_online, guest_requires,
        guest_verification, external_id, metadata, reminder_minutes
    ),
    delete
on scheduling.services to appointd_api;
grant select (tenant_id, id, name, renames, renamed_at, cancellation_notice_minutes, requires_approval)
on scheduling.services to appointd_gate;


create table scheduling.resources (
    tenant_id uuid not null default app.tenant(),
    id uuid not null,
    kind text not null,
    name text,
    active boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    contact_id uuid generated always as (case when kind = 'contact' then id end) stored,
    constraint resources_pkey primary key (tenant_id, id),
    constraint resources_kind_key unique (tenant_id, id, kind),
    constraint resources_tenant_fkey foreign key (tenant_id) references tenancy.organizations (id),
    constraint resources_contact_fkey foreign key (tenant_id, contact_id)
        references crm.contacts (tenant_id, id) on delete cascade,
    constraint resources_kind check (kind in ('provider', 'room', 'equipment', 'contact')),
    constraint resources_name check ((kind in ('room', 'equipment')) = (name is not null)),
    constraint resources_name_length check (length(name) between 1 and 200)
);

comment on table scheduling.resources is
    'Providers, rooms, equipment and contacts: each is in one place at a time. Rows of scheduling.claims take their '
    'time.';
comment on column scheduling.resources.id is 'UUIDv7. A provider, and a contact, has the id of its resource.';
comment on column scheduling.resources.kind is
    'provider: a person who performs services. room, equipment: what services require. contact: a person who has '
    'appointments.';
comment on column scheduling.resources.name is 'For rooms and equipment: name shown to people, 1 to 200 characters.';
comment on column scheduling.resources.active is 'For rooms and equipment: whether they can be used.';
comment on column scheduling.resources.created_at is 'When the row was created.';
comment on column scheduling.resources.updated_at is 'When name or active last changed.';
comment on column scheduling.resources.contact_id is
    'For a contact: its id, so that deleting the contact deletes the resource.';

create index resources_contact_idx on scheduling.resources (tenant_id, contact_id) where contact_id is not null;
-- Lists of rooms and equipment skip the contacts.
create index resources_listed_idx on scheduling.resources (tenant_id, id) where kind in ('room', 'equipment');

call app.build_wall(
    'scheduling.resources', reads => 'viewer', inserts => 'admin', updates => 'admin', deletes => 'admin'
);

-- Booking a contact creates the resource of that contact, so that its time can be claimed.
create policy staff_insert on scheduling.resources as permissive for insert to appointd_api
    with check (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{staff,manager,admin,owner}'))
        and kind = 'contact'
    );
call app.open_to('scheduling.resources', 'scheduler', 'select');
call app.open_to('scheduling.resources', 'guest,customer', 'select', $$kind <> 'contact'$$);
call app.open_to('scheduling.resources', 'guest', 'insert', $$kind = 'contact'$$);

-- A customer creates the resource of the contact that is linked to their account.
call app.open_to(
    'scheduling.resources', 'customer', 'insert',
    $$kind = 'contact' and id = any ((select crm.own_contacts())::uuid[])$$
);

-- And sees it, to find out whether their own time is taken. Claims of other contacts show times of a resource that
-- they cannot see.
call app.open_to(
    'scheduling.resources', 'customer', 'select',
    $$kind = 'contact' and id = any ((select crm.own_contacts())::uuid[])$$
);
call app.admit('scheduling.resources', 'appointd_owner', array['all']);
call operations.audit('scheduling.resources');
call app.date_changes('scheduling.resources');

grant select, insert (id, kind, name), update (name, active, updated_at), delete
on scheduling.resources to appointd_api;


create table scheduling.providers (
    tenant_id uuid not null default app.tenant(),
    id uuid not null,
    kind text not null generated always as ('provider') stored,
    name text not null,
    active boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    renamed_at timestamptz,
    max_per_day integer,
    max_per_week integer,
    account_id uuid,
    external_id text,
    metadata jsonb,
    constraint providers_pkey primary key (tenant_id, id),
    -- One person is one provider of an organization.
    constraint providers_account_key unique (tenant_id, account_id),
    -- What shared claims refer to, so that a claim on one person's time is never noted for another.
    constraint providers_person_key unique (tenant_id, id, account_id),
    constraint providers_resource_fkey foreign key (tenant_id, id, kind)
        references scheduling.resources (tenant_id, id, kind) on delete cascade,
    constraint providers_account_fkey foreign key (tenant_id, account_id)
        references tenancy.members (tenant_id, account_id) on delete set null (account_id),
    constraint providers_external_id_length check (length(external_id) between 1 and 200),
    constraint providers_metadata check (
        jsonb_typeof(metadata) = 'object'
        and jsonb_array_length(jsonb_path_query_array(metadata, '$.keyvalue()')) <= 20
        and not jsonb_path_exists(metadata, '$.keyvalue() ? (!(@.key like_regex "^[A-Za-z0-9_.-]{1,40}$"))')
        -- PostgreSQL repeats at most 255 times.
        and not jsonb_path_exists(
            metadata, 'strict $.* ? (@.type() != "string" || !(@ like_regex "^.{0,250}.{0,250}$" flag "s"))'
        )
    ),
    constraint providers_name_length check (length(name) between 1 and 200),
    constraint providers_limits check (
        max_per_day >= 1 and max_per_day <= 10000 and max_per_week >= 1 and max_per_week <= 10000
    )
);

comment on table scheduling.providers is 'A person who performs services.';
comment on column scheduling.providers.id is 'The id of the resource whose time is booked.';
comment on column scheduling.providers.kind is 'Always provider: ties the row to a resource of that kind.';
comment on column scheduling.providers.name is 'Name shown to people, 1 to 200 characters.';
comment on column scheduling.providers.active is
    'Whether the provider can be booked. One with appointments cannot be deleted, only made inactive.';
comment on column scheduling.providers.created_at is 'When the provider was created.';
comment on column scheduling.providers.updated_at is 'When the row last changed.';
comment on column scheduling.providers.renamed_at is
    'When the name last changed; null: never. The description of calendar entries shows the name.';
comment on column scheduling.providers.max_per_day is
    'Maximum number of appointments a day, in the zone of the organization; null: unlimited. A group session counts '
    'once.';
comment on column scheduling.providers.max_per_week is
    'Maximum number of appointments a week, from Monday to Sunday; null: unlimited.';
comment on column scheduling.providers.account_id is
    'Account of the person, who accepted the link (scheduling.provider_link_requests). A person who is a provider of '
    'several organizations is never booked twice at the same time: scheduling.shared_claims.';
comment on column scheduling.providers.external_id is 'Id in another system, at most 200 characters; null: none.';
comment on column scheduling.providers.metadata is
    'What other programs note about it: an object of at most 20 strings of at most 500 characters; null: nothing.';

create unique index providers_external_id_key on scheduling.providers (tenant_id, external_id)
where external_id is not null;
create index providers_updated_idx on scheduling.providers (tenant_id, updated_at);

call app.build_wall(
    'scheduling.providers', reads => 'viewer', inserts => 'admin', updates => 'admin', deletes => 'admin'
);
call app.open_to('scheduling.providers', 'scheduler', 'select');
call app.open_to('scheduling.providers', 'guest,customer', 'select', 'active');
-- The gate counts active providers for the plan, and links accounts to providers: no other role may, and the gate does
-- it only if the person accepts.
call app.admit('scheduling.providers', 'appointd_gate', array['select']);
call app.admit('scheduling.providers', 'appointd_gate', array['update']);
call app.admit('scheduling.providers', 'appointd_owner', array['all']);
call operations.audit('scheduling.providers');
call app.date_changes('scheduling.providers');

grant
    select,
    insert (id, name, max_per_day, max_per_week, external_id, metadata),
    update (name, active, updated_at, renamed_at, max_per_day, max_per_week, external_id, metadata)
on scheduling.providers to appointd_api;
grant select (tenant_id, id, name, active, renamed_at, account_id), update (updated_at, account_id)
on scheduling.providers to appointd_gate;

create trigger keep_within_plan_insert after insert on scheduling.providers
for each row when (new.active) execute function tenancy.keep_within_plan('providers');
create trigger keep_within_plan_update after update of active on scheduling.providers
for each row when (new.active and not old.active) execute function tenancy.keep_within_plan('providers');


create table scheduling.service_providers (
    tenant_id uuid not null default app.tenant(),
    service_id uuid not null,
    provider_id uuid not null,
    constraint service_providers_pkey primary key (tenant_id, service_id, provider_id),
    constraint service_providers_service_fkey foreign key (tenant_id, service_id)
        references scheduling.services (tenant_id, id) on delete cascade,
    constraint service_providers_provider_fkey foreign key (tenant_id, provider_id)
        references scheduling.providers (tenant_id, id) on delete cascade
);

comment on table scheduling.service_providers is 'Who performs a service. No row for a service: all providers.';
comment on column scheduling.service_providers.service_id is 'The service.';
comment on column scheduling.service_providers.provider_id is 'A provider who performs it.';

create index service_providers_provider_idx on scheduling.service_providers (tenant_id, provider_id);

call app.build_wall('scheduling.service_providers', reads => 'viewer', inserts => 'manager', deletes => 'manager');
call app.open_to('scheduling.service_providers', 'scheduler', 'select');
call app.open_to('scheduling.service_providers', 'guest,customer', 'select');
call app.admit('scheduling.service_providers', 'appointd_owner', array['all']);
call operations.audit('scheduling.service_providers');

grant select, insert (service_id, provider_id), delete on scheduling.service_providers to appointd_api;


create table scheduling.service_resources (
    tenant_id uuid not null default app.tenant(),
    service_id uuid not null,
    requirement smallint not null,
    resource_id uuid not null,
    constraint service_resources_pkey primary key (tenant_id, service_id, requirement, resource_id),
    constraint service_resources_service_fkey foreign key (tenant_id, service_id)
        references scheduling.services (tenant_id, id) on delete cascade,
    constraint service_resources_resource_fkey foreign key (tenant_id, resource_id)
        references scheduling.resources (tenant_id, id),
    constraint service_resources_requirement check (requirement between 1 and 5)
);

comment on table scheduling.service_resources is
    'What a service requires beside its provider. Any one of the resources of a requirement meets it.';
comment on column scheduling.service_resources.service_id is 'The service.';
comment on column scheduling.service_resources.requirement is 'Number of the requirement, 1 to 5.';
comment on column scheduling.service_resources.resource_id is 'A room or piece of equipment that meets it.';

create index service_resources_resource_idx on scheduling.service_resources (tenant_id, resource_id);

call app.build_wall('scheduling.service_resources', reads => 'viewer', inserts => 'manager', deletes => 'manager');
call app.open_to('scheduling.service_resources', 'scheduler', 'select');
call app.open_to('scheduling.service_resources', 'guest,customer', 'select');
call app.admit('scheduling.service_resources', 'appointd_owner', array['all']);
call operations.audit('scheduling.service_resources');

grant select, insert (service_id, requirement, resource_id), delete on scheduling.service_resources to appointd_api;
