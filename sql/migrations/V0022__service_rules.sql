-- The rules of a service: what surrounds it, when it may be booked and how often, who gives it and what it needs.

alter table scheduling.services
    add column buffer_before_minutes integer not null default 0,
    add column buffer_after_minutes integer not null default 0,
    add column slot_offset_minutes integer not null default 0,
    add column min_notice_minutes integer not null default 0,
    add column horizon_days integer,
    add column bookable_from date,
    add column bookable_until date,
    add column max_per_day integer,
    add column max_per_week integer,
    add column requires_approval boolean not null default false,
    add column capacity integer not null default 1,
    add column price_amount integer,
    add column price_currency text,
    add column cancellation_notice_minutes integer not null default 0,
    add column contact_may_overlap boolean not null default false,
    add column bookable_online boolean not null default true,
    add column guest_requires text[] not null default '{}',
    add column guest_verification text not null default 'none',
    add constraint services_guest_verification check (guest_verification in ('none', 'email')),
    add constraint services_guest_requires check (guest_requires <@ array['email', 'phone'] and cardinality(guest_requires) <= 2),
    -- No `between` in front of an `and`, here and below: what pg_dump writes of it is read back as another expression.
    add constraint services_buffers check (
        buffer_before_minutes >= 0 and buffer_before_minutes <= 720 and buffer_after_minutes >= 0 and buffer_after_minutes <= 720
    ),
    -- A claim lasts a day at most.
    add constraint services_length check (duration_minutes + buffer_before_minutes + buffer_after_minutes <= 1440),
    add constraint services_slot_offset_bounds check (slot_offset_minutes between 0 and 1439),
    add constraint services_min_notice_bounds check (min_notice_minutes between 0 and 525600),
    add constraint services_horizon_bounds check (horizon_days between 0 and 3660),
    add constraint services_bookable_dates check (bookable_from <= bookable_until),
    add constraint services_limits check (
        max_per_day >= 1 and max_per_day <= 10000 and max_per_week >= 1 and max_per_week <= 10000
    ),
    add constraint services_capacity_bounds check (capacity between 1 and 1000),
    add constraint services_price check (price_amount >= 0 and (price_amount is null) = (price_currency is null)),
    add constraint services_price_currency check (price_currency ~ '^[A-Z]{3}$'),
    add constraint services_cancellation_notice_bounds check (cancellation_notice_minutes between 0 and 525600);

comment on column scheduling.services.buffer_before_minutes is 'Minutes before the appointment in which the provider (and what else it needs) is not free for another; the customer never sees them. 0 to 720.';
comment on column scheduling.services.buffer_after_minutes is 'The same after it. Buffers of neighbours add up and may stick out of working hours.';
comment on column scheduling.services.slot_offset_minutes is 'Minutes from the beginning of each interval of working hours to the first offered start, 0 to 1,439.';
comment on column scheduling.services.min_notice_minutes is 'Elapsed minutes that have to lie between booking and start at least.';
comment on column scheduling.services.horizon_days is 'How many days ahead of today, in the zone of the organization, it can be booked; null: any number.';
comment on column scheduling.services.bookable_from is 'The first date, in the zone of the organization, on which it is given; null: any.';
comment on column scheduling.services.bookable_until is 'The last date on which it is given; null: any.';
comment on column scheduling.services.max_per_day is 'How many of it a day, in the zone of the organization, by all providers together; null: any number. People of one group session count once.';
comment on column scheduling.services.max_per_week is 'How many of it a week from Monday to Sunday; null: any number.';
comment on column scheduling.services.requires_approval is 'Whether what is booked is pending, with its time taken, until somebody confirms it.';
comment on column scheduling.services.capacity is 'How many may be booked into one start of one provider, each in a numbered seat: 1 for an appointment, more for a group session.';
comment on column scheduling.services.price_amount is 'Price in the minor unit of the currency (cents); null where none is shown.';
comment on column scheduling.services.price_currency is 'ISO 4217 code of the currency of the price.';
comment on column scheduling.services.cancellation_notice_minutes is 'Elapsed minutes before the start until which customers may cancel or reschedule themselves.';
comment on column scheduling.services.contact_may_overlap is 'Whether a contact may have it while having something else. Otherwise the contact''s time is claimed like that of a provider.';
comment on column scheduling.services.bookable_online is 'Whether customers and guests see it and may book it themselves.';
comment on column scheduling.services.guest_requires is 'What guests have to say of themselves to book it, beside their name: email, phone. Empty: nothing.';
comment on column scheduling.services.guest_verification is 'none; or email: what a guest books is held until they open a link that is mailed to them.';

grant insert (
    buffer_before_minutes, buffer_after_minutes, slot_offset_minutes, min_notice_minutes, horizon_days, bookable_from,
    bookable_until, max_per_day, max_per_week, requires_approval, capacity, price_amount, price_currency,
    cancellation_notice_minutes, contact_may_overlap, bookable_online, guest_requires, guest_verification, active
) on scheduling.services to appointd_api;
grant update (
    buffer_before_minutes, buffer_after_minutes, slot_offset_minutes, min_notice_minutes, horizon_days, bookable_from,
    bookable_until, max_per_day, max_per_week, requires_approval, capacity, price_amount, price_currency,
    cancellation_notice_minutes, contact_may_overlap, bookable_online, guest_requires, guest_verification
) on scheduling.services to appointd_api;


alter table scheduling.providers
    add column max_per_day integer,
    add column max_per_week integer,
    add column account_id uuid,
    add constraint providers_limits check (
        max_per_day >= 1 and max_per_day <= 10000 and max_per_week >= 1 and max_per_week <= 10000
    ),
    -- One person is one provider of an organization.
    add constraint providers_account_key unique (tenant_id, account_id),
    -- What shared claims refer to, so that nobody's time is claimed for somebody else.
    add constraint providers_person_key unique (tenant_id, id, account_id);

comment on column scheduling.providers.max_per_day is 'How many appointments a day, in the zone of the organization; null: any number. A group session counts once.';
comment on column scheduling.providers.max_per_week is 'How many appointments a week from Monday to Sunday; null: any number.';
comment on column scheduling.providers.account_id is
    'The account of the person, who became a member by accepting an invitation. A person who is provider of several organizations is never booked twice at once: scheduling.shared_claims.';

-- Looking whether the rows there are fit the key is a query, and the owner is subject to the policies.
alter table scheduling.providers no force row level security;
alter table tenancy.members no force row level security;
alter table scheduling.providers
    add constraint providers_account_fkey foreign key (tenant_id, account_id)
        references tenancy.members (tenant_id, account_id) on delete set null (account_id);
alter table scheduling.providers force row level security;
alter table tenancy.members force row level security;
grant insert (max_per_day, max_per_week, account_id), update (max_per_day, max_per_week, account_id) on scheduling.providers to appointd_api;


alter table scheduling.resources
    add column name text,
    add column active boolean not null default true,
    add column contact_id uuid generated always as (case when kind = 'contact' then id end) stored,
    drop constraint resources_kind,
    add constraint resources_kind check (kind in ('provider', 'room', 'equipment', 'contact')),
    add constraint resources_name check ((kind in ('room', 'equipment')) = (name is not null)),
    add constraint resources_name_length check (length(name) between 1 and 200);
alter table scheduling.resources no force row level security;
alter table crm.contacts no force row level security;
alter table scheduling.resources
    add constraint resources_contact_fkey foreign key (tenant_id, contact_id) references crm.contacts (tenant_id, id) on delete cascade;
alter table scheduling.resources force row level security;
alter table crm.contacts force row level security;

comment on column scheduling.resources.id is 'UUIDv7; a provider, and a contact, has the same id as its resource.';
comment on column scheduling.resources.kind is 'provider: a person who gives appointments. room, equipment: what services need. contact: a person who has appointments.';
comment on column scheduling.resources.name is 'Of rooms and equipment: the name shown to people, 1 to 200 characters.';
comment on column scheduling.resources.active is 'Of rooms and equipment: whether they can be used.';
comment on column scheduling.resources.contact_id is 'Of a contact: its id, so that the resource goes with it.';
create index resources_contact_idx on scheduling.resources (tenant_id, contact_id) where contact_id is not null;

grant insert (name), update (name, active) on scheduling.resources to appointd_api;
-- Admins change rooms and equipment. Whoever moves an appointment locks what it takes, which asks for a policy to update
-- and changes nothing.
create policy admin_update on scheduling.resources as permissive for update to appointd_api
    using (
        tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid)
        and (select current_setting('app.role', true)) = any ('{guest,customer,staff,manager,admin,owner}')
    )
    with check (
        tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid)
        and (select current_setting('app.role', true)) = any ('{admin,owner}')
    );
-- Whoever books somebody makes their time something that can be claimed.
create policy staff_insert on scheduling.resources as permissive for insert to appointd_api
    with check (
        tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid)
        and (select current_setting('app.role', true)) = any ('{staff,manager,admin,owner}')
        and kind = 'contact'
    );


create table scheduling.service_providers (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    service_id uuid not null,
    provider_id uuid not null,
    constraint service_providers_pkey primary key (tenant_id, service_id, provider_id),
    constraint service_providers_service_fkey foreign key (tenant_id, service_id)
        references scheduling.services (tenant_id, id) on delete cascade,
    constraint service_providers_provider_fkey foreign key (tenant_id, provider_id)
        references scheduling.providers (tenant_id, id) on delete cascade
);

comment on table scheduling.service_providers is 'Who gives a service. No row for a service: every provider does.';
comment on column scheduling.service_providers.tenant_id is 'The organization. Filled from the context; the server has no right to write it.';
comment on column scheduling.service_providers.service_id is 'What is given.';
comment on column scheduling.service_providers.provider_id is 'By whom.';
create index service_providers_provider_idx on scheduling.service_providers (tenant_id, provider_id);

call app.build_wall('scheduling.service_providers', reads => 'viewer', inserts => 'manager', deletes => 'manager');
call app.admit('scheduling.service_providers', 'appointd_owner', array['all']);
call operations.audit('scheduling.service_providers');
grant select, delete on scheduling.service_providers to appointd_api;
grant insert (service_id, provider_id) on scheduling.service_providers to appointd_api;


create table scheduling.service_resources (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    service_id uuid not null,
    requirement smallint not null,
    resource_id uuid not null,
    constraint service_resources_pkey primary key (tenant_id, service_id, requirement, resource_id),
    constraint service_resources_service_fkey foreign key (tenant_id, service_id)
        references scheduling.services (tenant_id, id) on delete cascade,
    constraint service_resources_resource_fkey foreign key (tenant_id, resource_id) references scheduling.resources (tenant_id, id),
    constraint service_resources_requirement check (requirement between 1 and 5)
);

comment on table scheduling.service_resources is 'What a service needs beside its provider. Each requirement is met by any one of its rooms or pieces of equipment.';
comment on column scheduling.service_resources.tenant_id is 'The organization. Filled from the context; the server has no right to write it.';
comment on column scheduling.service_resources.service_id is 'What needs it.';
comment on column scheduling.service_resources.requirement is 'Which of up to five requirements the row is part of.';
comment on column scheduling.service_resources.resource_id is 'A room or a piece of equipment that would do.';
create index service_resources_resource_idx on scheduling.service_resources (tenant_id, resource_id);

call app.build_wall('scheduling.service_resources', reads => 'viewer', inserts => 'manager', deletes => 'manager');
call app.admit('scheduling.service_resources', 'appointd_owner', array['all']);
call operations.audit('scheduling.service_resources');
grant select, delete on scheduling.service_resources to appointd_api;
grant insert (service_id, requirement, resource_id) on scheduling.service_resources to appointd_api;
