-- Booking in full: appointments with a life, holds, group sessions with numbered seats, visits of several services,
-- series, and a key by which a client may ask twice and be served once. All of it takes time in scheduling.claims.

-- Opens a table to people who do not work there, as app.build_wall does for those who do.
create procedure app.open_to(relation regclass, audience text, command text, condition text default null)
language plpgsql
as $$
declare
    expression constant text := concat(
        'tenant_id = (select nullif(current_setting(''app.tenant_id'', true), '''')::uuid)',
        format(' and (select current_setting(''app.role'', true)) = any (%L)', string_to_array(audience, ',')),
        ' and (' || condition || ')'
    );
begin
    execute format(
        'create policy %I on %s as permissive for %s to appointd_api %s %s',
        replace(audience, ',', '_or_') || '_' || command,
        relation,
        command,
        case when command <> 'insert' then format('using (%s)', expression) end,
        case when command in ('insert', 'update') then format('with check (%s)', expression) end
    );
end
$$;

comment on procedure app.open_to(regclass, text, text, text) is
    'Lets customers or guests (an audience, or several with commas between) do one command to the rows of the tenant that meet a condition.';
revoke execute on procedure app.open_to(regclass, text, text, text) from public;


create table scheduling.series (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
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

comment on table scheduling.series is 'Appointments that were booked together because they recur.';
comment on column scheduling.series.tenant_id is 'The organization. Filled from the context; the server has no right to write it.';
comment on column scheduling.series.id is 'UUIDv7, made by the server.';
comment on column scheduling.series.frequency is 'daily, weekly or monthly.';
comment on column scheduling.series.every is 'Every how many days, weeks or months.';
comment on column scheduling.series.occurrences is 'How many appointments were booked, 2 to 104.';
comment on column scheduling.series.time_zone is 'IANA time zone in which all of them begin at the same time of day.';
comment on column scheduling.series.created_at is 'When it was booked.';

call app.build_wall('scheduling.series', reads => 'viewer', inserts => 'staff');
call app.admit('scheduling.series', 'appointd_owner', array['all']);
call operations.audit('scheduling.series');
grant select on scheduling.series to appointd_api;
grant insert (id, frequency, every, occurrences, time_zone) on scheduling.series to appointd_api;


alter table scheduling.appointments
    add column sequence integer not null default 0,
    add column overridden boolean not null default false,
    add column series_id uuid,
    add column occurrence smallint,
    add column visit boolean not null default false,
    add column seat smallint,
    add column guest_key uuid,
    add column cancelled_by_kind text,
    add column hold_id uuid,
    alter column created_by drop not null,
    drop constraint appointments_status,
    add constraint appointments_status check (
        status in ('pending', 'confirmed', 'checked_in', 'in_progress', 'completed', 'cancelled', 'declined', 'no_show')
    ),
    drop constraint appointments_cancellation,
    add constraint appointments_cancelled_by_kind check (cancelled_by_kind in ('member', 'customer', 'guest')),
    add constraint appointments_sequence check (sequence >= 0),
    add constraint appointments_seat check (seat >= 1),
    add constraint appointments_series check ((series_id is null) = (occurrence is null));

-- What was cancelled before was cancelled by people who work there. Not worth an event each.
alter table scheduling.appointments no force row level security;
alter table scheduling.appointments disable trigger record_change;
update scheduling.appointments set cancelled_by_kind = 'member' where status = 'cancelled';
alter table scheduling.appointments enable trigger record_change;
alter table scheduling.series no force row level security;
alter table scheduling.appointments
    add constraint appointments_series_fkey foreign key (tenant_id, series_id) references scheduling.series (tenant_id, id),
    add constraint appointments_cancellation check (
        (status = 'cancelled') = (cancelled_at is not null and cancelled_by_kind is not null)
        and (status = 'cancelled' or cancelled_by is null)
        and (status in ('cancelled', 'declined') or cancellation_reason is null)
    );
alter table scheduling.series force row level security;
alter table scheduling.appointments force row level security;

comment on column scheduling.appointments.status is
    'pending (to be confirmed, its time is taken), confirmed, checked_in, in_progress, completed; or at an end: cancelled, declined, no_show (their time is free again).';
comment on column scheduling.appointments.service_id is 'What was booked; of a visit of several services the first.';
comment on column scheduling.appointments.provider_id is 'Who gives it; of a visit the first.';
comment on column scheduling.appointments.ends_at is 'First instant after it; of a visit of several services after the last.';
comment on column scheduling.appointments.cancellation_reason is 'Why it was cancelled or declined, at most 500 characters; null where nobody said.';
comment on column scheduling.appointments.cancelled_by is 'The account or API key that cancelled it; null where a guest did.';
comment on column scheduling.appointments.cancelled_by_kind is 'member (who works there, or a program of theirs), customer or guest.';
comment on column scheduling.appointments.created_by is
    'The account or API key that booked it; null where a guest did. No foreign key: accounts are never deleted, and each booking would lock the row of the account.';
comment on column scheduling.appointments.sequence is 'Rises when it is moved, confirmed, cancelled, declined or a no-show. The SEQUENCE of its calendar entries (RFC 5545 section 3.8.7.4) is this and the renames of service and contact.';
comment on column scheduling.appointments.overridden is 'Whether staff booked or moved it against the rules of the service. Never against a claim.';
comment on column scheduling.appointments.series_id is 'The series it is part of.';
comment on column scheduling.appointments.occurrence is 'Which of the series it is, from 1 on.';
comment on column scheduling.appointments.seat is 'Of a group session: the number of the seat.';
comment on column scheduling.appointments.hold_id is 'The hold it was, where it was one: confirming that again finds the appointment. The hold itself is gone.';
comment on column scheduling.appointments.visit is 'Whether it is a visit of several services: scheduling.appointment_segments has them.';

comment on column scheduling.appointments.guest_key is 'Of what a guest booked with an e-mail address: a hash of it. A guest takes one seat of a group session.';
create unique index appointments_hold_key on scheduling.appointments (tenant_id, hold_id) where hold_id is not null;
create unique index appointments_guest_seat_key on scheduling.appointments (tenant_id, provider_id, service_id, starts_at, guest_key)
where guest_key is not null and seat is not null and status not in ('cancelled', 'declined', 'no_show');

create index appointments_series_idx on scheduling.appointments (tenant_id, series_id, occurrence) where series_id is not null;

grant insert (status, overridden, series_id, occurrence, visit, seat, guest_key, hold_id) on scheduling.appointments to appointd_api;
grant update (provider_id, starts_at, ends_at, sequence, overridden, cancelled_by_kind, seat) on scheduling.appointments to appointd_api;


create table scheduling.appointment_segments (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    appointment_id uuid not null,
    position smallint not null,
    service_id uuid not null,
    provider_id uuid not null,
    starts_at timestamptz not null,
    ends_at timestamptz not null,
    constraint appointment_segments_pkey primary key (tenant_id, appointment_id, position),
    constraint appointment_segments_appointment_fkey foreign key (tenant_id, appointment_id)
        references scheduling.appointments (tenant_id, id),
    constraint appointment_segments_service_fkey foreign key (tenant_id, service_id) references scheduling.services (tenant_id, id),
    constraint appointment_segments_provider_fkey foreign key (tenant_id, provider_id) references scheduling.providers (tenant_id, id),
    constraint appointment_segments_position check (position between 1 and 5),
    constraint appointment_segments_time check (starts_at < ends_at)
);

comment on table scheduling.appointment_segments is 'The services of a visit of several, one after the other. Appointments with one service have none.';
comment on column scheduling.appointment_segments.tenant_id is 'The organization. Filled from the context; the server has no right to write it.';
comment on column scheduling.appointment_segments.appointment_id is 'The visit.';
comment on column scheduling.appointment_segments.position is 'Which of its services, from 1 on.';
comment on column scheduling.appointment_segments.service_id is 'What is given.';
comment on column scheduling.appointment_segments.provider_id is 'By whom.';
comment on column scheduling.appointment_segments.starts_at is 'First instant.';
comment on column scheduling.appointment_segments.ends_at is 'First instant after it, at which the next one starts.';
create index appointment_segments_service_idx on scheduling.appointment_segments (tenant_id, service_id);
create index appointment_segments_provider_idx on scheduling.appointment_segments (tenant_id, provider_id, starts_at);

call app.build_wall('scheduling.appointment_segments', reads => 'viewer', inserts => 'staff', deletes => 'staff');
call app.admit('scheduling.appointment_segments', 'appointd_owner', array['all']);
grant select, delete on scheduling.appointment_segments to appointd_api;
grant insert (appointment_id, position, service_id, provider_id, starts_at, ends_at) on scheduling.appointment_segments to appointd_api;


create table scheduling.appointment_transitions (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    appointment_id uuid not null,
    id uuid not null,
    action text not null,
    from_status text not null,
    to_status text not null,
    from_starts_at timestamptz,
    from_provider_id uuid,
    occurred_at timestamptz not null default clock_timestamp(),
    actor_id uuid default coalesce(nullif(current_setting('app.account_id', true), ''), nullif(current_setting('app.key_id', true), ''))::uuid,
    actor_role text default nullif(current_setting('app.role', true), ''),
    reason text,
    released jsonb,
    constraint appointment_transitions_pkey primary key (tenant_id, appointment_id, id),
    constraint appointment_transitions_appointment_fkey foreign key (tenant_id, appointment_id)
        references scheduling.appointments (tenant_id, id),
    constraint appointment_transitions_action check (
        action in ('confirm', 'decline', 'cancel', 'reschedule', 'swap', 'check_in', 'start', 'complete', 'no_show', 'undo')
    ),
    constraint appointment_transitions_reason_length check (length(reason) between 1 and 500)
);

comment on table scheduling.appointment_transitions is 'What was done to an appointment, by whom and when. Appended to and never changed.';
comment on column scheduling.appointment_transitions.tenant_id is 'The organization. Filled from the context; the server has no right to write it.';
comment on column scheduling.appointment_transitions.appointment_id is 'Which appointment.';
comment on column scheduling.appointment_transitions.id is 'UUIDv7, made by the server.';
comment on column scheduling.appointment_transitions.action is 'What was done: confirm, decline, cancel, reschedule, swap, check_in, start, complete, no_show, undo (of one of the last four).';
comment on column scheduling.appointment_transitions.from_status is 'The status before.';
comment on column scheduling.appointment_transitions.to_status is 'The status after.';
comment on column scheduling.appointment_transitions.from_starts_at is 'Of a move: when it would have started.';
comment on column scheduling.appointment_transitions.from_provider_id is 'Of a move: who would have given it.';
comment on column scheduling.appointment_transitions.occurred_at is 'When.';
comment on column scheduling.appointment_transitions.actor_id is 'The account or API key; null: a guest. Filled from the context.';
comment on column scheduling.appointment_transitions.actor_role is 'The role they had: owner to viewer, customer or guest. Filled from the context.';
comment on column scheduling.appointment_transitions.reason is 'Why, where somebody said.';
comment on column scheduling.appointment_transitions.released is 'Of complete and no_show: the claims that were released or shortened, as they had been, so that undo can take them again. Null: none.';

call app.build_wall('scheduling.appointment_transitions', reads => 'viewer', inserts => 'staff');
call app.admit('scheduling.appointment_transitions', 'appointd_owner', array['all']);
call operations.audit('scheduling.appointment_transitions');
grant select on scheduling.appointment_transitions to appointd_api;
grant insert (appointment_id, id, action, from_status, to_status, from_starts_at, from_provider_id, reason, released)
on scheduling.appointment_transitions to appointd_api;


create table scheduling.holds (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    id uuid not null,
    service_id uuid not null,
    provider_id uuid not null,
    starts_at timestamptz not null,
    ends_at timestamptz not null,
    expires_at timestamptz not null,
    overridden boolean not null default false,
    waitlist_entry_id uuid,
    created_at timestamptz not null default now(),
    created_by uuid default coalesce(nullif(current_setting('app.account_id', true), ''), nullif(current_setting('app.key_id', true), ''))::uuid,
    constraint holds_pkey primary key (tenant_id, id),
    constraint holds_service_fkey foreign key (tenant_id, service_id) references scheduling.services (tenant_id, id) on delete cascade,
    constraint holds_provider_fkey foreign key (tenant_id, provider_id) references scheduling.providers (tenant_id, id) on delete cascade,
    constraint holds_time check (starts_at < ends_at)
);

comment on table scheduling.holds is
    'Time that is kept for somebody for some minutes. Confirmed in time it becomes an appointment; expired it is as if it were not there, and whoever books next removes it, or a server after some seconds.';
comment on column scheduling.holds.tenant_id is 'The organization. Filled from the context; the server has no right to write it.';
comment on column scheduling.holds.id is 'UUIDv7, made by the server.';
comment on column scheduling.holds.service_id is 'What is to be booked.';
comment on column scheduling.holds.provider_id is 'Whose time is held.';
comment on column scheduling.holds.starts_at is 'First instant.';
comment on column scheduling.holds.ends_at is 'First instant after it.';
comment on column scheduling.holds.expires_at is 'Until when it can be confirmed, by the clock of the database.';
comment on column scheduling.holds.overridden is 'Whether staff held it against the rules of the service.';
comment on column scheduling.holds.waitlist_entry_id is 'Of an offer to somebody on the waitlist: to whom. An offer that expires is passed on.';
comment on column scheduling.holds.created_at is 'When it was made.';
comment on column scheduling.holds.created_by is 'The account or API key that made it; null: the waitlist. Filled from the context.';
create index holds_expires_idx on scheduling.holds (tenant_id, expires_at);
create index holds_service_idx on scheduling.holds (tenant_id, service_id);
create index holds_provider_idx on scheduling.holds (tenant_id, provider_id);

call app.build_wall('scheduling.holds', reads => 'viewer', inserts => 'staff', deletes => 'staff');
call app.admit('scheduling.holds', 'appointd_owner', array['all']);
call operations.audit('scheduling.holds');
grant select, delete on scheduling.holds to appointd_api;
grant insert (id, service_id, provider_id, starts_at, ends_at, expires_at, overridden) on scheduling.holds to appointd_api;
-- Locking a hold, so that confirming it and taking it over wait for each other, asks for the right to change something.
grant update (overridden) on scheduling.holds to appointd_api;
create policy staff_update on scheduling.holds as permissive for update to appointd_api
    using (
        tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid)
        and (select current_setting('app.role', true)) = any ('{staff,manager,admin,owner}')
    );


alter table scheduling.claims
    alter column appointment_id drop not null,
    add column hold_id uuid,
    add column service_id uuid,
    add column serves_at timestamptz,
    add column serves_until timestamptz,
    add column expires_at timestamptz,
    add column group_key uuid,
    add column seat smallint not null default 1,
    add column capacity smallint not null default 1,
    drop constraint claims_kind,
    drop constraint claims_no_overlap,
    alter column kind drop default;
alter table scheduling.claims no force row level security;
alter table scheduling.appointments no force row level security;
alter table scheduling.holds no force row level security;
alter table scheduling.services no force row level security;
update scheduling.claims as c
set service_id = a.service_id, serves_at = a.starts_at
from scheduling.appointments as a
where a.tenant_id = c.tenant_id and a.id = c.appointment_id;
alter table scheduling.claims drop column kind;
alter table scheduling.claims
    add column kind text not null generated always as (case when hold_id is null then 'appointment' else 'hold' end) stored,
    -- Claims of one group session of a resource have one, and one range of time; all others one each.
    add column session_id uuid not null generated always as (
        case
            when group_key is null then id
            else md5(
                group_key::text
                || extract(epoch from starts_at - timestamptz '1970-01-01 00:00:00+00')::text
                || '/' || extract(epoch from ends_at - starts_at)::text
            )::uuid
        end
    ) stored,
    add constraint claims_owner check (num_nonnulls(appointment_id, hold_id) = 1),
    add constraint claims_seat check (seat >= 1 and seat <= capacity and (capacity > 1) = (group_key is not null)),
    add constraint claims_hold_fkey foreign key (tenant_id, hold_id) references scheduling.holds (tenant_id, id) on delete cascade,
    add constraint claims_service_fkey foreign key (tenant_id, service_id) references scheduling.services (tenant_id, id),
    add constraint claims_no_overlap exclude using gist (tenant_id with =, resource_id with =, during with &&, session_id with <>);
alter table scheduling.claims force row level security;
alter table scheduling.appointments force row level security;
alter table scheduling.holds force row level security;
alter table scheduling.services force row level security;

create unique index claims_seat_key on scheduling.claims (tenant_id, resource_id, session_id, seat) where capacity > 1;
create index claims_hold_idx on scheduling.claims (tenant_id, hold_id) where hold_id is not null;
-- Deleting a service asks whether its time is claimed.
create index claims_service_idx on scheduling.claims (tenant_id, service_id, serves_at) where service_id is not null;

comment on column scheduling.claims.kind is 'What takes the time: appointment or hold.';
comment on column scheduling.claims.appointment_id is 'The appointment that takes it. Cancelling deletes the claim.';
comment on column scheduling.claims.hold_id is 'The hold that takes it; confirming makes it the appointment''s.';
comment on column scheduling.claims.service_id is 'Of a provider: the service given in this time. Null for rooms, equipment and contacts.';
comment on column scheduling.claims.serves_at is 'Of a provider: the start the customer sees, buffers not included. Limits count by it.';
comment on column scheduling.claims.serves_until is 'Of a provider: the end the customer sees, buffers not included. A group session keeps it, whatever becomes of its service.';
comment on column scheduling.claims.expires_at is 'Of a hold: from when on the claim counts for nothing. Null: never by itself.';
comment on column scheduling.claims.group_key is 'Of a group session: names service and provider. Null: the time is for one.';
comment on column scheduling.claims.seat is 'Of a group session: which of its seats. Unique, so that no session holds more than its capacity.';
comment on column scheduling.claims.capacity is 'Of a group session: how many seats the service had when it was booked; otherwise 1.';
comment on column scheduling.claims.session_id is 'Claims with one session_id may overlap: those of one group session, which have one range. Otherwise the id of the claim.';
comment on constraint claims_no_overlap on scheduling.claims is
    'No resource is in two places at once: no two claims of a resource overlap, unless they are seats of one group session. '
    'Book with insert … on conflict do nothing: no row means the time is taken. A plain insert can deadlock against another.';

grant insert (hold_id, service_id, serves_at, serves_until, expires_at, group_key, seat, capacity) on scheduling.claims to appointd_api;
-- Confirming a hold makes its claims the appointment's. Completing an appointment early shortens them.
grant update (appointment_id, hold_id, expires_at, ends_at) on scheduling.claims to appointd_api;
create policy staff_update on scheduling.claims as permissive for update to appointd_api
    using (
        tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid)
        and (select current_setting('app.role', true)) = any ('{staff,manager,admin,owner}')
    )
    with check (
        tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid)
        and (select current_setting('app.role', true)) = any ('{staff,manager,admin,owner}')
    );


create table operations.idempotency_keys (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    actor_id uuid not null default coalesce(
        nullif(current_setting('app.account_id', true), ''),
        nullif(current_setting('app.key_id', true), ''),
        nullif(current_setting('app.tenant_id', true), '')
    )::uuid,
    operation text not null,
    key text not null,
    request_hash bytea not null,
    response jsonb,
    asked_at timestamptz not null default now(),
    constraint idempotency_keys_pkey primary key (tenant_id, actor_id, operation, key),
    constraint idempotency_keys_tenant_fkey foreign key (tenant_id) references tenancy.organizations (id),
    constraint idempotency_keys_key_length check (length(key) between 1 and 255),
    constraint idempotency_keys_request_hash_length check (length(request_hash) = 32)
);

comment on table operations.idempotency_keys is
    'What was answered to a request with an Idempotency-Key, for 24 hours. Written with what the request did, so a refused request leaves none.';
comment on column operations.idempotency_keys.tenant_id is 'The organization. Filled from the context; the server has no right to write it.';
comment on column operations.idempotency_keys.actor_id is 'The account or API key that asked; the organization where a guest did. Filled from the context.';
comment on column operations.idempotency_keys.operation is 'The operationId.';
comment on column operations.idempotency_keys.key is 'As the client sent it, 1 to 255 characters. Of a guest: SHA-256 of that and of the request, in hexadecimal digits.';
comment on column operations.idempotency_keys.request_hash is 'SHA-256 of the body: another body with the same key is refused.';
comment on column operations.idempotency_keys.response is 'What was answered.';
comment on column operations.idempotency_keys.asked_at is 'When it was first asked.';
create index idempotency_keys_time_idx on operations.idempotency_keys (tenant_id, asked_at);

call app.build_wall('operations.idempotency_keys', reads => 'staff', inserts => 'staff', updates => 'staff', deletes => 'staff');
call app.admit('operations.idempotency_keys', 'appointd_owner', array['all']);
grant select, delete on operations.idempotency_keys to appointd_api;
grant insert (operation, key, request_hash), update (request_hash, response, asked_at) on operations.idempotency_keys to appointd_api;
