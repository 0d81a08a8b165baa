-- Appointments, and the claims by which they take a resource's time. The exclusion constraint on claims, and nothing
-- else, decides who gets a slot: two transactions that want overlapping time of one resource wait for each other there.

create table scheduling.appointments (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    id uuid not null,
    service_id uuid not null,
    provider_id uuid not null,
    contact_id uuid not null,
    starts_at timestamptz not null,
    ends_at timestamptz not null,
    status text not null default 'confirmed',
    note text,
    cancellation_reason text,
    cancelled_at timestamptz,
    cancelled_by uuid,
    created_at timestamptz not null default now(),
    created_by uuid not null default nullif(current_setting('app.account_id', true), '')::uuid,
    updated_at timestamptz not null default now(),
    constraint appointments_pkey primary key (tenant_id, id),
    constraint appointments_service_fkey foreign key (tenant_id, service_id) references scheduling.services (tenant_id, id),
    constraint appointments_provider_fkey foreign key (tenant_id, provider_id) references scheduling.providers (tenant_id, id),
    constraint appointments_contact_fkey foreign key (tenant_id, contact_id) references crm.contacts (tenant_id, id),
    constraint appointments_time check (starts_at < ends_at),
    constraint appointments_status check (status in ('confirmed', 'cancelled')),
    constraint appointments_note_length check (length(note) between 1 and 2000),
    constraint appointments_cancellation_reason_length check (length(cancellation_reason) between 1 and 500),
    constraint appointments_cancellation check (
        (status = 'cancelled') = (cancelled_at is not null and cancelled_by is not null)
        and (status = 'cancelled' or cancellation_reason is null)
    )
);

comment on table scheduling.appointments is 'A service that a provider gives to a contact at a time. While it stands, a row of scheduling.claims holds the time.';
comment on column scheduling.appointments.tenant_id is 'The organization. Filled from the context; the server has no right to write it.';
comment on column scheduling.appointments.id is 'UUIDv7, made by the server.';
comment on column scheduling.appointments.service_id is 'What was booked.';
comment on column scheduling.appointments.provider_id is 'Who gives it.';
comment on column scheduling.appointments.contact_id is 'Who comes.';
comment on column scheduling.appointments.starts_at is 'First instant.';
comment on column scheduling.appointments.ends_at is 'First instant after it: the duration of the service at the time of booking.';
comment on column scheduling.appointments.status is 'confirmed, or cancelled: its time is free again.';
comment on column scheduling.appointments.note is 'Free text of the organization, at most 2,000 characters.';
comment on column scheduling.appointments.cancellation_reason is 'Why it was cancelled, at most 500 characters; null where nobody said.';
comment on column scheduling.appointments.cancelled_at is 'When it was cancelled.';
comment on column scheduling.appointments.cancelled_by is 'The account that cancelled it.';
comment on column scheduling.appointments.created_at is 'When it was booked.';
comment on column scheduling.appointments.created_by is
    'The account that booked it. No foreign key: accounts are never deleted, and each booking would lock the row of the account.';
comment on column scheduling.appointments.updated_at is 'When the row last changed.';

-- The access paths of GET /appointments; the last column makes the order total, for the cursor.
create index appointments_time_idx on scheduling.appointments (tenant_id, starts_at, id);
create index appointments_provider_idx on scheduling.appointments (tenant_id, provider_id, starts_at, id);
create index appointments_contact_idx on scheduling.appointments (tenant_id, contact_id, starts_at, id);
-- Deleting a service asks whether it was ever booked.
create index appointments_service_idx on scheduling.appointments (tenant_id, service_id);

call app.build_wall('scheduling.appointments', reads => 'viewer', inserts => 'staff', updates => 'staff');

grant select on scheduling.appointments to appointd_api;
grant insert (id, service_id, provider_id, contact_id, starts_at, ends_at, note) on scheduling.appointments to appointd_api;
grant update (status, cancellation_reason, cancelled_at, cancelled_by, updated_at) on scheduling.appointments to appointd_api;


create table scheduling.claims (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    id uuid not null,
    resource_id uuid not null,
    kind text not null default 'appointment',
    appointment_id uuid not null,
    starts_at timestamptz not null,
    ends_at timestamptz not null,
    during tstzrange not null generated always as (tstzrange(starts_at, ends_at, '[)')) stored,
    constraint claims_pkey primary key (tenant_id, id),
    constraint claims_resource_fkey foreign key (tenant_id, resource_id) references scheduling.resources (tenant_id, id),
    constraint claims_appointment_fkey foreign key (tenant_id, appointment_id)
        references scheduling.appointments (tenant_id, id),
    constraint claims_kind check (kind in ('appointment')),
    -- An empty or unbounded range would slip past the exclusion constraint, or block everything.
    constraint claims_time check (
        isfinite(starts_at) and isfinite(ends_at) and starts_at < ends_at and ends_at - starts_at <= interval '24 hours'
    ),
    constraint claims_no_overlap exclude using gist (tenant_id with =, resource_id with =, during with &&)
);

comment on table scheduling.claims is 'Time of a resource that is taken, and by what. Everything that takes time is a row here.';
comment on column scheduling.claims.tenant_id is 'The organization. Filled from the context; the server has no right to write it.';
comment on column scheduling.claims.id is 'UUIDv7, made by the server.';
comment on column scheduling.claims.resource_id is 'Whose time it is.';
comment on column scheduling.claims.kind is 'What takes the time: appointment.';
comment on column scheduling.claims.appointment_id is 'The appointment that takes it. Cancelling deletes the claim.';
comment on column scheduling.claims.starts_at is 'First instant taken.';
comment on column scheduling.claims.ends_at is 'First instant not taken any more, at most 24 hours later: reading may look that far back and no further.';
comment on column scheduling.claims.during is 'starts_at to ends_at, half-open, so that appointments may touch. For the constraint alone: no index serves && under a policy.';
comment on constraint claims_no_overlap on scheduling.claims is
    'No resource is in two places at once. Book with insert … on conflict on constraint claims_no_overlap do nothing: '
    'no row means the time is taken. A plain insert can deadlock against another.';

-- Reading who is busy: an index condition under the policies, unlike during && ….
create index claims_time_idx on scheduling.claims (tenant_id, resource_id, starts_at, ends_at);
-- Cancelling finds the claims of an appointment.
create index claims_appointment_idx on scheduling.claims (tenant_id, appointment_id);

call app.build_wall('scheduling.claims', reads => 'viewer', inserts => 'staff', deletes => 'staff');

grant select, delete on scheduling.claims to appointd_api;
grant insert (id, resource_id, appointment_id, starts_at, ends_at) on scheduling.claims to appointd_api;
