-- Guests: how many bookings they may ask for, from one network address and with one e-mail address, apart from every
-- other limit; and bookings that wait for a guest to open the link that was mailed to them.

create table scheduling.guest_requests (
    tenant_id uuid not null default app.tenant(),
    kind text not null,
    subject bytea not null,
    since timestamptz not null default now(),
    requests integer not null default 1,
    constraint guest_requests_pkey primary key (tenant_id, kind, subject),
    constraint guest_requests_tenant_fkey foreign key (tenant_id) references tenancy.organizations (id),
    constraint guest_requests_kind check (kind in ('address', 'email')),
    constraint guest_requests_subject_length check (length(subject) = 32)
);

comment on table scheduling.guest_requests is
    'Number of bookings that guests requested, by network address and by e-mail address. Rows older than a day are '
    'deleted.';
comment on column scheduling.guest_requests.kind is 'address (counted per hour) or email (counted per day).';
comment on column scheduling.guest_requests.subject is 'SHA-256 of the organization and the address.';
comment on column scheduling.guest_requests.since is 'When counting began.';
comment on column scheduling.guest_requests.requests is 'Number of requests since then.';

create index guest_requests_since_idx on scheduling.guest_requests (tenant_id, since);

call app.build_wall('scheduling.guest_requests', reads => 'owner');
call app.admit('scheduling.guest_requests', 'appointd_gate', array['select', 'insert', 'update', 'delete']);
call app.admit('scheduling.guest_requests', 'appointd_owner', array['all']);

grant select on scheduling.guest_requests to appointd_api;
grant select, insert (kind, subject), update (since, requests), delete on scheduling.guest_requests to appointd_gate;


create table scheduling.guest_bookings (
    tenant_id uuid not null default app.tenant(),
    hold_id uuid not null,
    first_name text not null,
    last_name text not null,
    email text not null,
    phone text,
    note text,
    created_at timestamptz not null default now(),
    constraint guest_bookings_pkey primary key (tenant_id, hold_id),
    constraint guest_bookings_hold_fkey foreign key (tenant_id, hold_id)
        references scheduling.holds (tenant_id, id) on delete cascade,
    constraint guest_bookings_first_name_length check (length(first_name) between 1 and 100),
    constraint guest_bookings_last_name_length check (length(last_name) between 1 and 100),
    constraint guest_bookings_email_lower_case check (email = lower(email) and length(email) between 3 and 254),
    constraint guest_bookings_phone_length check (length(phone) between 1 and 50),
    constraint guest_bookings_note_length check (length(note) between 1 and 500)
);

comment on table scheduling.guest_bookings is
    'What guests gave who have yet to open the link sent by e-mail. Deleted with the hold, when that expires or '
    'becomes an appointment.';
comment on column scheduling.guest_bookings.hold_id is
    'The hold that keeps the time; its id becomes that of the appointment.';
comment on column scheduling.guest_bookings.first_name is 'Given name, 1 to 100 characters.';
comment on column scheduling.guest_bookings.last_name is 'Family name, 1 to 100 characters.';
comment on column scheduling.guest_bookings.email is 'The address the link was sent to, lower case.';
comment on column scheduling.guest_bookings.phone is 'Telephone number as the person writes it; null: not given.';
comment on column scheduling.guest_bookings.note is 'Message to the organization; null: none.';
comment on column scheduling.guest_bookings.created_at is 'When it was booked.';

call app.build_wall('scheduling.guest_bookings', reads => 'staff');
call app.open_to(
    'scheduling.guest_bookings', 'guest', 'select',
    $$
    hold_id = (select app.subject())
    $$
);
call app.open_to(
    'scheduling.guest_bookings', 'guest', 'insert',
    $$
    hold_id = (select app.subject())
    $$
);
call app.admit('scheduling.guest_bookings', 'appointd_gate', array['select']);
call app.admit('scheduling.guest_bookings', 'appointd_owner', array['all']);
call operations.audit('scheduling.guest_bookings');

grant select, insert (hold_id, first_name, last_name, email, phone, note) on scheduling.guest_bookings to appointd_api;
grant select (tenant_id, hold_id, email) on scheduling.guest_bookings to appointd_gate;
