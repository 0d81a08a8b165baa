-- Appointments: with a life (status and transitions), visits of several services, series.

create table scheduling.series (
    tenant_id uuid not null default app.tenant(),
    id uuid not null,
    frequency text not null,
    every smallint not null,
    occurrences smallint not null,
    time_zone text not null,
    created_at timestamptz not null default now(),
    constraint series_pkey primary key (tenant_id, id),
    constraint series_tenant_fkey foreign key (tenant_id) references tenancy.organizations (id),
    constraint series_frequency check (frequency in ('daily', 'weekly', 'monthly')),
    constraint series_every check (every between 1 and 52),
    constraint series_occurrences check (occurrences between 2 and 104),
    constraint series_time_zone_length check (length(time_zone) between 1 and 64)
);

comment on table scheduling.series is 'Recurring appointments that were booked together.';
comment on column scheduling.series.id is 'UUIDv7, made by the server.';
comment on column scheduling.series.frequency is 'daily, weekly or monthly.';
comment on column scheduling.series.every is 'Interval: every so many days, weeks or months.';
comment on column scheduling.series.occurrences is 'Number of appointments that were booked, 2 to 104.';
comment on column scheduling.series.time_zone is 'IANA time zone in which all of them start at the same time of day.';
comment on column scheduling.series.created_at is 'When it was booked.';

call app.build_wall('scheduling.series', reads => 'viewer', inserts => 'staff');
call app.admit('scheduling.series', 'appointd_owner', array['all']);
call operations.audit('scheduling.series');

grant select, insert (id, frequency, every, occurrences, time_zone) on scheduling.series to appointd_api;


create table scheduling.appointments (
    tenant_id uuid not null default app.tenant(),
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
    created_by uuid default coalesce(app.account(), app.api_key()),
    updated_at timestamptz not null default now(),
    sequence integer not null default 0,
    overridden boolean not null default false,
    series_id uuid,
    occurrence smallint,
    visit boolean not null default false,
    seat smallint,
    guest_key uuid,
    cancelled_by_kind text,
    hold_id uuid,
    external_id text,
    metadata jsonb,
    constraint appointments_pkey primary key (tenant_id, id),
    constraint appointments_service_fkey foreign key (tenant_id, service_id)
        references scheduling.services (tenant_id, id),
    constraint appointments_provider_fkey foreign key (tenant_id, provider_id)
        references scheduling.providers (tenant_id, id),
    constraint appointments_contact_fkey foreign key (tenant_id, contact_id) references crm.contacts (tenant_id, id),
    constraint appointments_series_fkey foreign key (tenant_id, series_id) references scheduling.series (tenant_id, id),
    constraint appointments_time check (starts_at < ends_at),
    constraint appointments_status check (
        status in ('pending', 'confirmed', 'checked_in', 'in_progress', 'completed', 'cancelled', 'declined', 'no_show')
    ),
    constraint appointments_external_id_length check (length(external_id) between 1 and 200),
    constraint appointments_metadata check (
        jsonb_typeof(metadata) = 'object'
        and jsonb_array_length(jsonb_path_query_array(metadata, '$.keyvalue()')) <= 20
        and not jsonb_path_exists(metadata, '$.keyvalue() ? (!(@.key like_regex "^[A-Za-z0-9_.-]{1,40}$"))')
        -- PostgreSQL repeats at most 255 times.
        and not jsonb_path_exists(
            metadata, 'strict $.* ? (@.type() != "string" || !(@ like_regex "^.{0,250}.{0,250}$" flag "s"))'
        )
    ),
    constraint appointments_note_length check (length(note) between 1 and 2000),
    constraint appointments_cancellation_reason_length check (length(cancellation_reason) between 1 and 500),
    constraint appointments_cancelled_by_kind check (cancelled_by_kind in ('member', 'customer', 'guest')),
    constraint appointments_cancellation check (
        (status = 'cancelled') = (cancelled_at is not null and cancelled_by_kind is not null)
        and (status = 'cancelled' or cancelled_by is null)
        and (status in ('cancelled', 'declined') or cancellation_reason is null)
    ),
    constraint appointments_sequence check (sequence >= 0),
    constraint appointments_series check ((series_id is null) = (occurrence is null)),
    constraint appointments_seat check (seat >= 1),
    -- Checked at the end of a statement: one may move several seats of a contact, each into the session that another
    -- leaves.
    constraint appointments_contact_seat exclude using btree (
        tenant_id with =, provider_id with =, service_id with =, starts_at with =, contact_id with =
    ) where (seat is not null and status not in ('cancelled', 'declined', 'no_show')) deferrable initially immediate
)
-- Rows change all day: vacuum after 2 % of them, not 20 %.
with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

comment on table scheduling.appointments is
    'A service that a provider performs for a contact at a time. Rows of scheduling.claims hold the time until the '
    'appointment is cancelled, declined or a no-show.';
comment on constraint appointments_contact_seat on scheduling.appointments is
    'A contact takes one seat of a group session.';
comment on column scheduling.appointments.id is 'UUIDv7, made by the server.';
comment on column scheduling.appointments.service_id is 'The service; of a visit of several services, the first.';
comment on column scheduling.appointments.provider_id is
    'The provider; of a visit of several services, that of the first.';
comment on column scheduling.appointments.contact_id is 'The contact.';
comment on column scheduling.appointments.starts_at is 'First instant.';
comment on column scheduling.appointments.ends_at is
    'First instant after it; of a visit of several services, after the last.';
comment on column scheduling.appointments.status is
    'pending (to be confirmed, its time is taken), confirmed, checked_in, in_progress, completed; or cancelled, '
    'declined, no_show (its time is free again).';
comment on column scheduling.appointments.note is 'Free text of the organization, at most 2,000 characters.';
comment on column scheduling.appointments.cancellation_reason is
    'Reason for cancelling or declining, at most 500 characters; null: none given.';
comment on column scheduling.appointments.cancelled_at is 'When it was cancelled.';
comment on column scheduling.appointments.cancelled_by is 'The account or API key that cancelled it; null: a guest.';
comment on column scheduling.appointments.created_at is 'When it was booked.';
comment on column scheduling.appointments.created_by is
    'The account or API key that booked it; null: a guest. No foreign key: accounts are never deleted, and each '
    'booking would lock the row of the account.';
comment on column scheduling.appointments.updated_at is 'When the row last changed.';
comment on column scheduling.appointments.sequence is
    'Incremented when it is moved, confirmed, cancelled, declined or a no-show. The SEQUENCE of its calendar entries '
    '(RFC 5545 section 3.8.7.4) is this plus the renames of service and contact.';
comment on column scheduling.appointments.overridden is
    'Whether staff booked or moved it against the rules of the service. A claim cannot be overridden.';
comment on column scheduling.appointments.series_id is 'The series that it belongs to.';
comment on column scheduling.appointments.occurrence is 'Its number in the series, from 1.';
comment on column scheduling.appointments.visit is
    'Whether it is a visit of several services, listed in scheduling.appointment_segments.';
comment on column scheduling.appointments.seat is 'For a group session: number of the seat.';
comment on column scheduling.appointments.guest_key is
    'For a booking of a guest with an e-mail address: a hash of the address. A guest takes one seat of a group '
    'session.';
comment on column scheduling.appointments.cancelled_by_kind is
    'member (a person who works there, or a program of theirs), customer or guest.';
comment on column scheduling.appointments.hold_id is
    'The hold that it was made from: confirming the hold again finds the appointment. The hold itself is deleted.';
comment on column scheduling.appointments.external_id is 'Id in another system, at most 200 characters; null: none.';
comment on column scheduling.appointments.metadata is
    'What other programs note about it: an object of at most 20 strings of at most 500 characters; null: nothing.';

-- Access paths of GET /appointments; the last column makes the order total, for the cursor.
create index appointments_time_idx on scheduling.appointments (tenant_id, starts_at, id);
create index appointments_provider_idx on scheduling.appointments (tenant_id, provider_id, starts_at, id);
create index appointments_contact_idx on scheduling.appointments (tenant_id, contact_id, starts_at, id);
create index appointments_service_idx on scheduling.appointments (tenant_id, service_id, starts_at, id);
create index appointments_created_by_idx on scheduling.appointments (tenant_id, created_by, starts_at, id)
where created_by is not null;
create unique index appointments_external_id_key on scheduling.appointments (tenant_id, external_id)
where external_id is not null;
create unique index appointments_hold_key on scheduling.appointments (tenant_id, hold_id) where hold_id is not null;
create unique index appointments_guest_seat_key
on scheduling.appointments (tenant_id, provider_id, service_id, starts_at, guest_key)
where guest_key is not null and seat is not null and status not in ('cancelled', 'declined', 'no_show');
create index appointments_series_idx on scheduling.appointments (tenant_id, series_id, occurrence)
where series_id is not null;
create index appointments_updated_idx on scheduling.appointments (tenant_id, updated_at);

call app.build_wall('scheduling.appointments', reads => 'viewer', inserts => 'staff', updates => 'staff');
create policy customer_select on scheduling.appointments as permissive for select to appointd_api
    using (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{customer}'))
        and contact_id = any ((select crm.own_contacts())::uuid[])
    );
call app.open_to(
    'scheduling.appointments', 'guest', 'insert',
    $$
    id = (select app.subject())
    $$
);
call app.open_to(
    'scheduling.appointments', 'guest', 'select',
    $$
    id = (select app.subject())
    $$
);
call app.open_to(
    'scheduling.appointments', 'guest', 'update',
    $$
    id = (select app.subject())
    $$
);

-- Customers create and change appointments of the contact that is linked to their account.
call app.open_to(
    'scheduling.appointments', 'customer', 'insert',
    $$
    id = (select app.subject())
    and contact_id = any ((select crm.own_contacts())::uuid[])
    $$
);
call app.open_to(
    'scheduling.appointments', 'customer', 'update',
    $$
    id = (select app.subject())
    and contact_id = any ((select crm.own_contacts())::uuid[])
    $$
);
call app.admit('scheduling.appointments', 'appointd_gate', array['select']);
call app.admit('scheduling.appointments', 'appointd_owner', array['all']);
call operations.audit('scheduling.appointments');
call app.date_changes('scheduling.appointments');

grant
    select,
    insert (
        id, service_id, provider_id, contact_id, starts_at, ends_at, status, note, overridden, series_id, occurrence,
        visit, seat, guest_key, hold_id, external_id, metadata
    ),
    update (
        provider_id, contact_id, starts_at, ends_at, status, note, cancellation_reason, cancelled_at, cancelled_by,
        updated_at, sequence, overridden, seat, guest_key, cancelled_by_kind, external_id, metadata
    )
on scheduling.appointments to appointd_api;
grant
    select (
        tenant_id, id, service_id, provider_id, contact_id, starts_at, ends_at, status, created_at, updated_at,
        sequence, visit
    )
on scheduling.appointments to appointd_gate;


-- For policies; see crm.own_contacts.
create function scheduling.sees_appointment(appointment uuid) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return exists (
        select
        from scheduling.appointments as a
        where
            a.tenant_id = (select app.tenant())
            and a.id = appointment
    );
end
$$;

comment on function scheduling.sees_appointment(uuid) is 'Whether the policies show the caller an appointment.';

grant execute on function scheduling.sees_appointment(uuid) to appointd_api;


create table scheduling.appointment_segments (
    tenant_id uuid not null default app.tenant(),
    appointment_id uuid not null,
    position smallint not null,
    service_id uuid not null,
    provider_id uuid not null,
    starts_at timestamptz not null,
    ends_at timestamptz not null,
    constraint appointment_segments_pkey primary key (tenant_id, appointment_id, position),
    constraint appointment_segments_appointment_fkey foreign key (tenant_id, appointment_id)
        references scheduling.appointments (tenant_id, id),
    constraint appointment_segments_service_fkey foreign key (tenant_id, service_id)
        references scheduling.services (tenant_id, id),
    constraint appointment_segments_provider_fkey foreign key (tenant_id, provider_id)
        references scheduling.providers (tenant_id, id),
    constraint appointment_segments_position check (position between 1 and 5),
    constraint appointment_segments_time check (starts_at < ends_at)
);

comment on table scheduling.appointment_segments is
    'The services of a visit of several, one after the other. An appointment with one service has no row.';
comment on column scheduling.appointment_segments.appointment_id is 'The visit.';
comment on column scheduling.appointment_segments.position is 'Position of the service in the visit, from 1.';
comment on column scheduling.appointment_segments.service_id is 'The service.';
comment on column scheduling.appointment_segments.provider_id is 'The provider who performs it.';
comment on column scheduling.appointment_segments.starts_at is 'First instant.';
comment on column scheduling.appointment_segments.ends_at is 'First instant after it, at which the next one starts.';

create index appointment_segments_service_idx on scheduling.appointment_segments (tenant_id, service_id);
create index appointment_segments_provider_idx on scheduling.appointment_segments (tenant_id, provider_id, starts_at);

call app.build_wall('scheduling.appointment_segments', reads => 'viewer', inserts => 'staff', deletes => 'staff');
-- Of an appointment that the policies of appointments show them.
call app.open_to(
    'scheduling.appointment_segments', 'guest,customer', 'select',
    $$
    scheduling.sees_appointment(appointment_id)
    $$
);
call app.open_to(
    'scheduling.appointment_segments', 'guest,customer', 'insert',
    $$
    appointment_id = (select app.subject())
    and scheduling.sees_appointment(appointment_id)
    $$
);
call app.open_to(
    'scheduling.appointment_segments', 'guest,customer', 'delete',
    $$
    appointment_id = (select app.subject())
    and scheduling.sees_appointment(appointment_id)
    $$
);
call app.admit('scheduling.appointment_segments', 'appointd_gate', array['select']);
call app.admit('scheduling.appointment_segments', 'appointd_owner', array['all']);

grant select, insert (appointment_id, position, service_id, provider_id, starts_at, ends_at), delete
on scheduling.appointment_segments to appointd_api;
grant select (tenant_id, appointment_id, position, service_id, provider_id, starts_at, ends_at)
on scheduling.appointment_segments to appointd_gate;


create table scheduling.appointment_transitions (
    tenant_id uuid not null default app.tenant(),
    appointment_id uuid not null,
    id uuid not null,
    action text not null,
    from_status text not null,
    to_status text not null,
    from_starts_at timestamptz,
    from_provider_id uuid,
    occurred_at timestamptz not null default clock_timestamp(),
    actor_id uuid default coalesce(app.account(), app.api_key()),
    actor_role text default app.role(),
    reason text,
    released jsonb,
    constraint appointment_transitions_pkey primary key (tenant_id, appointment_id, id),
    constraint appointment_transitions_appointment_fkey foreign key (tenant_id, appointment_id)
        references scheduling.appointments (tenant_id, id),
    constraint appointment_transitions_action check (
        action in (
            'confirm', 'decline', 'cancel', 'reschedule', 'swap', 'check_in', 'start', 'complete', 'no_show', 'undo'
        )
    ),
    constraint appointment_transitions_reason_length check (length(reason) between 1 and 500)
);

comment on table scheduling.appointment_transitions is
    'What was done to an appointment, by whom and when. Append-only.';
comment on column scheduling.appointment_transitions.appointment_id is 'The appointment.';
comment on column scheduling.appointment_transitions.id is 'UUIDv7, made by the server.';
comment on column scheduling.appointment_transitions.action is
    'confirm, decline, cancel, reschedule, swap, check_in, start, complete, no_show, or undo (of one of the last '
    'four).';
comment on column scheduling.appointment_transitions.from_status is 'The status before.';
comment on column scheduling.appointment_transitions.to_status is 'The status after.';
comment on column scheduling.appointment_transitions.from_starts_at is 'For a move: the previous start.';
comment on column scheduling.appointment_transitions.from_provider_id is 'For a move: the previous provider.';
comment on column scheduling.appointment_transitions.occurred_at is 'When.';
comment on column scheduling.appointment_transitions.actor_id is
    'The account or API key; null: a guest. Filled from the context.';
comment on column scheduling.appointment_transitions.actor_role is
    'The role of the actor: owner to viewer, customer or guest. Filled from the context.';
comment on column scheduling.appointment_transitions.reason is 'Reason; null: none given.';
comment on column scheduling.appointment_transitions.released is
    'For complete and no_show: the claims that were deleted or shortened, as they were before, so that undo can '
    'restore them. Null: none.';

call app.build_wall('scheduling.appointment_transitions', reads => 'viewer', inserts => 'staff');
call app.open_to(
    'scheduling.appointment_transitions', 'guest', 'insert',
    $$
    appointment_id = (select app.subject())
    $$
);
call app.open_to(
    'scheduling.appointment_transitions', 'customer', 'insert',
    $$
    appointment_id = (select app.subject())
    and scheduling.sees_appointment(appointment_id)
    $$
);
call app.admit('scheduling.appointment_transitions', 'appointd_owner', array['all']);
call operations.audit('scheduling.appointment_transitions');

grant
    select,
    insert (appointment_id, id, action, from_status, to_status, from_starts_at, from_provider_id, reason, released)
on scheduling.appointment_transitions to appointd_api;
