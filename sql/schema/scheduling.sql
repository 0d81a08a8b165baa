-- The schema as it is: what sql/migrations makes, read from the catalog by tests/it/db/schema.sql. To read, not to run
-- and not to edit. After a migration: APPOINTD_UPDATE_SNAPSHOTS=1 cargo test schema

-- Services, providers, their hours, and the appointments that claim their time.
create schema scheduling authorization appointd_owner;

grant usage on schema scheduling to appointd_api;
grant usage on schema scheduling to appointd_auditor;
grant usage on schema scheduling to appointd_door;
grant usage on schema scheduling to appointd_gate;
grant usage on schema scheduling to appointd_worker;


-- The services of a visit of several, one after the other. An appointment with one service has no row.
create table scheduling.appointment_segments (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- The visit.
    appointment_id uuid not null,
    -- Position of the service in the visit, from 1.
    "position" smallint not null,
    -- The service.
    service_id uuid not null,
    -- The provider who performs it.
    provider_id uuid not null,
    -- First instant.
    starts_at timestamptz not null,
    -- First instant after it, at which the next one starts.
    ends_at timestamptz not null,
    constraint appointment_segments_pkey primary key (tenant_id, appointment_id, "position"),
    constraint appointment_segments_appointment_fkey foreign key (
        tenant_id, appointment_id
    ) references scheduling.appointments(tenant_id, id),
    constraint appointment_segments_provider_fkey foreign key (
        tenant_id, provider_id
    ) references scheduling.providers(tenant_id, id),
    constraint appointment_segments_service_fkey foreign key (
        tenant_id, service_id
    ) references scheduling.services(tenant_id, id),
    constraint appointment_segments_position check ("position" >= 1 and "position" <= 5),
    constraint appointment_segments_time check (starts_at < ends_at)
);

create index appointment_segments_provider_idx on scheduling.appointment_segments using btree (
    tenant_id, provider_id, starts_at
);
create index appointment_segments_service_idx on scheduling.appointment_segments using btree (tenant_id, service_id);

alter table scheduling.appointment_segments enable row level security, force row level security;

create policy tenant_floor on scheduling.appointment_segments as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy gate_select on scheduling.appointment_segments as permissive for select to appointd_gate
    using (tenant_id = (select app.tenant()));
create policy guest_or_customer_delete on scheduling.appointment_segments as permissive for delete to appointd_api
    using (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{guest,customer}'))
        and appointment_id = (select app.subject())
        and scheduling.sees_appointment(appointment_id)
    );
create policy guest_or_customer_insert on scheduling.appointment_segments as permissive for insert to appointd_api
    with check (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{guest,customer}'))
        and appointment_id = (select app.subject())
        and scheduling.sees_appointment(appointment_id)
    );
create policy guest_or_customer_select on scheduling.appointment_segments as permissive for select to appointd_api
    using (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{guest,customer}'))
        and scheduling.sees_appointment(appointment_id)
    );
create policy owner_all on scheduling.appointment_segments as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy staff_delete on scheduling.appointment_segments as permissive for delete to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy staff_insert on scheduling.appointment_segments as permissive for insert to appointd_api
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy viewer_select on scheduling.appointment_segments as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{viewer,staff,manager,admin,owner}')));

grant select, delete on scheduling.appointment_segments to appointd_api;
grant insert (
    appointment_id, position, service_id, provider_id, starts_at, ends_at
) on scheduling.appointment_segments to appointd_api;
grant select (
    tenant_id, appointment_id, position, service_id, provider_id, starts_at, ends_at
) on scheduling.appointment_segments to appointd_gate;


-- What was done to an appointment, by whom and when. Append-only.
create table scheduling.appointment_transitions (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- The appointment.
    appointment_id uuid not null,
    -- UUIDv7, made by the server.
    id uuid not null,
    -- confirm, decline, cancel, reschedule, swap, check_in, start, complete, no_show, or undo (of one of the last
    -- four).
    action text not null,
    -- The status before.
    from_status text not null,
    -- The status after.
    to_status text not null,
    -- For a move: the previous start.
    from_starts_at timestamptz,
    -- For a move: the previous provider.
    from_provider_id uuid,
    -- When.
    occurred_at timestamptz not null default clock_timestamp(),
    -- The account or API key; null: a guest. Filled from the context.
    actor_id uuid default coalesce(app.account(), app.api_key()),
    -- The role of the actor: owner to viewer, customer or guest. Filled from the context.
    actor_role text default app.role(),
    -- Reason; null: none given.
    reason text,
    -- For complete and no_show: the claims that were deleted or shortened, as they were before, so that undo can
    -- restore them. Null: none.
    released jsonb,
    constraint appointment_transitions_pkey primary key (tenant_id, appointment_id, id),
    constraint appointment_transitions_appointment_fkey foreign key (
        tenant_id, appointment_id
    ) references scheduling.appointments(tenant_id, id),
    constraint appointment_transitions_action check (
        action = any (
            array['confirm', 'decline', 'cancel', 'reschedule', 'swap', 'check_in', 'start', 'complete', 'no_show',
            'undo']
        )
    ),
    constraint appointment_transitions_reason_length check (length(reason) >= 1 and length(reason) <= 500)
);

alter table scheduling.appointment_transitions enable row level security, force row level security;

create policy tenant_floor on scheduling.appointment_transitions as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy customer_insert on scheduling.appointment_transitions as permissive for insert to appointd_api
    with check (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{customer}'))
        and appointment_id = (select app.subject())
        and scheduling.sees_appointment(appointment_id)
    );
create policy guest_insert on scheduling.appointment_transitions as permissive for insert to appointd_api
    with check (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{guest}'))
        and appointment_id = (select app.subject())
    );
create policy owner_all on scheduling.appointment_transitions as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy staff_insert on scheduling.appointment_transitions as permissive for insert to appointd_api
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy viewer_select on scheduling.appointment_transitions as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{viewer,staff,manager,admin,owner}')));

grant select on scheduling.appointment_transitions to appointd_api;
grant insert (
    appointment_id, id, action, from_status, to_status, from_starts_at, from_provider_id, reason, released
) on scheduling.appointment_transitions to appointd_api;

create trigger record_change after insert or delete or update on scheduling.appointment_transitions
for each row execute function operations.record_change();


-- A service that a provider performs for a contact at a time. Rows of scheduling.claims hold the time until the
-- appointment is cancelled, declined or a no-show.
create table scheduling.appointments (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- UUIDv7, made by the server.
    id uuid not null,
    -- The service; of a visit of several services, the first.
    service_id uuid not null,
    -- The provider; of a visit of several services, that of the first.
    provider_id uuid not null,
    -- The contact.
    contact_id uuid not null,
    -- First instant.
    starts_at timestamptz not null,
    -- First instant after it; of a visit of several services, after the last.
    ends_at timestamptz not null,
    -- pending (to be confirmed, its time is taken), confirmed, checked_in, in_progress, completed; or cancelled,
    -- declined, no_show (its time is free again).
    status text not null default 'confirmed',
    -- Free text of the organization, at most 2,000 characters.
    note text,
    -- Reason for cancelling or declining, at most 500 characters; null: none given.
    cancellation_reason text,
    -- When it was cancelled.
    cancelled_at timestamptz,
    -- The account or API key that cancelled it; null: a guest.
    cancelled_by uuid,
    -- When it was booked.
    created_at timestamptz not null default now(),
    -- The account or API key that booked it; null: a guest. No foreign key: accounts are never deleted, and each
    -- booking would lock the row of the account.
    created_by uuid default coalesce(app.account(), app.api_key()),
    -- When the row last changed.
    updated_at timestamptz not null default now(),
    -- Incremented when it is moved, confirmed, cancelled, declined or a no-show. The SEQUENCE of its calendar entries
    -- (RFC 5545 section 3.8.7.4) is this plus the renames of service and contact.
    sequence integer not null default 0,
    -- Whether staff booked or moved it against the rules of the service. A claim cannot be overridden.
    overridden boolean not null default false,
    -- The series that it belongs to.
    series_id uuid,
    -- Its number in the series, from 1.
    occurrence smallint,
    -- Whether it is a visit of several services, listed in scheduling.appointment_segments.
    visit boolean not null default false,
    -- For a group session: number of the seat.
    seat smallint,
    -- For a booking of a guest with an e-mail address: a hash of the address. A guest takes one seat of a group
    -- session.
    guest_key uuid,
    -- member (a person who works there, or a program of theirs), customer or guest.
    cancelled_by_kind text,
    -- The hold that it was made from: confirming the hold again finds the appointment. The hold itself is deleted.
    hold_id uuid,
    -- Id in another system, at most 200 characters; null: none.
    external_id text,
    -- What other programs note about it: an object of at most 20 strings of at most 500 characters; null: nothing.
    metadata jsonb,
    constraint appointments_pkey primary key (tenant_id, id),
    constraint appointments_contact_fkey foreign key (tenant_id, contact_id) references crm.contacts(tenant_id, id),
    constraint appointments_provider_fkey foreign key (
        tenant_id, provider_id
    ) references scheduling.providers(tenant_id, id),
    constraint appointments_series_fkey foreign key (tenant_id, series_id) references scheduling.series(tenant_id, id),
    constraint appointments_service_fkey foreign key (
        tenant_id, service_id
    ) references scheduling.services(tenant_id, id),
    constraint appointments_cancellation check (
        (status = 'cancelled') = (cancelled_at is not null and cancelled_by_kind is not null)
        and (status = 'cancelled' or cancelled_by is null)
        and ((status = any (array['cancelled', 'declined'])) or cancellation_reason is null)
    ),
    constraint appointments_cancellation_reason_length check (
        length(cancellation_reason) >= 1 and length(cancellation_reason) <= 500
    ),
    constraint appointments_cancelled_by_kind check (cancelled_by_kind = any (array['member', 'customer', 'guest'])),
    constraint appointments_external_id_length check (length(external_id) >= 1 and length(external_id) <= 200),
    constraint appointments_metadata check (
        jsonb_typeof(metadata) = 'object'
        and jsonb_array_length(jsonb_path_query_array(metadata, '$.keyvalue()'::jsonpath)) <= 20
        and not jsonb_path_exists(metadata, '$.keyvalue()?(!(@."key" like_regex "^[A-Za-z0-9_.-]{1,40}$"))'::jsonpath)
        and not jsonb_path_exists(
            metadata, 'strict $.*?(@.type() != "string" || !(@ like_regex "^.{0,250}.{0,250}$" flag "s"))'::jsonpath
        )
    ),
    constraint appointments_note_length check (length(note) >= 1 and length(note) <= 2000),
    constraint appointments_seat check (seat >= 1),
    constraint appointments_sequence check (sequence >= 0),
    constraint appointments_series check ((series_id is null) = (occurrence is null)),
    constraint appointments_status check (
        status = any (
            array['pending', 'confirmed', 'checked_in', 'in_progress', 'completed', 'cancelled', 'declined', 'no_show']
        )
    ),
    constraint appointments_time check (starts_at < ends_at),
    -- A contact takes one seat of a group session.
    constraint appointments_contact_seat exclude using btree (
        tenant_id with =, provider_id with =, service_id with =, starts_at with =, contact_id with =
    )
    where (seat is not null and (status <> all (array['cancelled', 'declined', 'no_show']))) deferrable
) with (autovacuum_vacuum_scale_factor=0.02, autovacuum_analyze_scale_factor=0.02);

create index appointments_contact_idx on scheduling.appointments using btree (tenant_id, contact_id, starts_at, id);
create index appointments_created_by_idx on scheduling.appointments using btree (tenant_id, created_by, starts_at, id)
where created_by is not null;
create unique index appointments_external_id_key on scheduling.appointments using btree (tenant_id, external_id)
where external_id is not null;
create unique index appointments_guest_seat_key on scheduling.appointments using btree (
    tenant_id, provider_id, service_id, starts_at, guest_key
)
where guest_key is not null
and seat is not null
and (status <> all (array['cancelled', 'declined', 'no_show']));
create unique index appointments_hold_key on scheduling.appointments using btree (tenant_id, hold_id)
where hold_id is not null;
create index appointments_provider_idx on scheduling.appointments using btree (tenant_id, provider_id, starts_at, id);
create index appointments_series_idx on scheduling.appointments using btree (tenant_id, series_id, occurrence)
where series_id is not null;
create index appointments_service_idx on scheduling.appointments using btree (tenant_id, service_id, starts_at, id);
create index appointments_time_idx on scheduling.appointments using btree (tenant_id, starts_at, id);
create index appointments_updated_idx on scheduling.appointments using btree (tenant_id, updated_at);

alter table scheduling.appointments enable row level security, force row level security;

create policy tenant_floor on scheduling.appointments as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy customer_insert on scheduling.appointments as permissive for insert to appointd_api
    with check (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{customer}'))
        and id = (select app.subject())
        and (contact_id = any ((select crm.own_contacts() as own_contacts)::uuid[]))
    );
create policy customer_select on scheduling.appointments as permissive for select to appointd_api
    using (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{customer}'))
        and (contact_id = any ((select crm.own_contacts() as own_contacts)::uuid[]))
    );
create policy customer_update on scheduling.appointments as permissive for update to appointd_api
    using (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{customer}'))
        and id = (select app.subject())
        and (contact_id = any ((select crm.own_contacts() as own_contacts)::uuid[]))
    )
    with check (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{customer}'))
        and id = (select app.subject())
        and (contact_id = any ((select crm.own_contacts() as own_contacts)::uuid[]))
    );
create policy gate_select on scheduling.appointments as permissive for select to appointd_gate
    using (tenant_id = (select app.tenant()));
create policy guest_insert on scheduling.appointments as permissive for insert to appointd_api
    with check (
        tenant_id = (select app.tenant()) and (select app.role() = any ('{guest}')) and id = (select app.subject())
    );
create policy guest_select on scheduling.appointments as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{guest}')) and id = (select app.subject()));
create policy guest_update on scheduling.appointments as permissive for update to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{guest}')) and id = (select app.subject()))
    with check (
        tenant_id = (select app.tenant()) and (select app.role() = any ('{guest}')) and id = (select app.subject())
    );
create policy owner_all on scheduling.appointments as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy staff_insert on scheduling.appointments as permissive for insert to appointd_api
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy staff_update on scheduling.appointments as permissive for update to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')))
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy viewer_select on scheduling.appointments as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{viewer,staff,manager,admin,owner}')));

grant select on scheduling.appointments to appointd_api;
grant insert (
    id, service_id, provider_id, contact_id, starts_at, ends_at, status, note, overridden, series_id, occurrence, visit,
    seat, guest_key, hold_id, external_id, metadata
) on scheduling.appointments to appointd_api;
grant update (
    provider_id, contact_id, starts_at, ends_at, status, note, cancellation_reason, cancelled_at, cancelled_by,
    updated_at, sequence, overridden, seat, guest_key, cancelled_by_kind, external_id, metadata
) on scheduling.appointments to appointd_api;
grant select (
    tenant_id, id, service_id, provider_id, contact_id, starts_at, ends_at, status, cancellation_reason, created_at,
    updated_at, sequence, series_id, visit
) on scheduling.appointments to appointd_gate;

create trigger keep_updated_at before update of tenant_id, id, service_id, provider_id, contact_id, starts_at, ends_at,
status, note, cancellation_reason, cancelled_at, cancelled_by, created_at, created_by, sequence, overridden, series_id,
occurrence, visit, seat, guest_key, cancelled_by_kind, hold_id, external_id, metadata on scheduling.appointments
for each row execute function app.keep_updated_at('{}');
create trigger record_change after insert or delete or update on scheduling.appointments
for each row execute function operations.record_change();
create trigger record_event after insert or update on scheduling.appointments
for each row execute function scheduling.record_appointment_event();


-- Calendars that anyone with their URL can read. A feed is revoked by deleting its row; it is deleted when its maker
-- leaves.
create table scheduling.calendar_feeds (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- UUIDv7, made by the server.
    id uuid not null,
    -- The provider whose appointments it shows; null: all providers.
    provider_id uuid,
    -- Purpose of the feed, 1 to 200 characters.
    name text not null,
    -- SHA-256 of the secret in the URL.
    token_hash bytea not null,
    -- When it was made.
    created_at timestamptz not null default now(),
    -- The account or API key that made it.
    created_by uuid not null default coalesce(app.account(), app.api_key()),
    -- When it was last changed.
    updated_at timestamptz not null default now(),
    constraint calendar_feeds_pkey primary key (tenant_id, id),
    constraint calendar_feeds_provider_fkey foreign key (
        tenant_id, provider_id
    ) references scheduling.providers(tenant_id, id) on delete cascade,
    constraint calendar_feeds_tenant_fkey foreign key (tenant_id) references tenancy.organizations(id),
    constraint calendar_feeds_name_length check (length(name) >= 1 and length(name) <= 200),
    constraint calendar_feeds_token_hash_length check (length(token_hash) = 32)
);

create index calendar_feeds_created_by_idx on scheduling.calendar_feeds using btree (tenant_id, created_by);
create index calendar_feeds_provider_idx on scheduling.calendar_feeds using btree (tenant_id, provider_id);
create index calendar_feeds_updated_idx on scheduling.calendar_feeds using btree (tenant_id, updated_at);

alter table scheduling.calendar_feeds enable row level security, force row level security;

create policy tenant_floor on scheduling.calendar_feeds as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy gate_delete on scheduling.calendar_feeds as permissive for delete to appointd_gate
    using (tenant_id = (select app.tenant()));
create policy gate_select on scheduling.calendar_feeds as permissive for select to appointd_gate
    using (tenant_id = (select app.tenant()));
create policy owner_all on scheduling.calendar_feeds as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy staff_delete on scheduling.calendar_feeds as permissive for delete to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy staff_insert on scheduling.calendar_feeds as permissive for insert to appointd_api
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy staff_select on scheduling.calendar_feeds as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy staff_update on scheduling.calendar_feeds as permissive for update to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')))
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));

grant delete on scheduling.calendar_feeds to appointd_api;
grant insert (id, provider_id, name, token_hash) on scheduling.calendar_feeds to appointd_api;
grant select (
    tenant_id, id, provider_id, name, created_at, created_by, updated_at
) on scheduling.calendar_feeds to appointd_api;
grant update (name, updated_at) on scheduling.calendar_feeds to appointd_api;
grant delete on scheduling.calendar_feeds to appointd_gate;
grant select (
    tenant_id, id, provider_id, name, token_hash, created_at, created_by
) on scheduling.calendar_feeds to appointd_gate;

create trigger record_change after insert or delete or update on scheduling.calendar_feeds
for each row execute function operations.record_change();
create trigger record_deletion after delete on scheduling.calendar_feeds
for each row execute function operations.record_deletion('calendar_feed');


-- Time of a resource that is taken, by an appointment or a hold. Everything that takes time is a row here.
create table scheduling.claims (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- UUIDv7, made by the server.
    id uuid not null,
    -- The resource whose time is taken.
    resource_id uuid not null,
    -- The appointment that takes it. Cancelling deletes the claim.
    appointment_id uuid,
    -- First instant taken.
    starts_at timestamptz not null,
    -- First instant after it, at most 24 hours later: queries may look back that far and no further.
    ends_at timestamptz not null,
    -- starts_at to ends_at, half-open, so that appointments may be adjacent. For the constraint alone: no index serves
    -- && under a policy.
    during tstzrange not null generated always as (tstzrange(starts_at, ends_at, '[)')) stored,
    -- The hold that takes it. Confirming the hold passes the claim to the appointment.
    hold_id uuid,
    -- For a provider: the service performed in this time. Null for rooms, equipment and contacts.
    service_id uuid,
    -- For a provider: the start that the customer sees, without buffers. Limits count by it.
    service_starts_at timestamptz,
    -- For a provider: the end that the customer sees, without buffers. A group session keeps it when its service
    -- changes.
    service_ends_at timestamptz,
    -- For a hold: the instant from which the claim counts for nothing. Null: it does not expire.
    expires_at timestamptz,
    -- For a group session: identifies service and provider. Null: the time is for one appointment.
    group_key uuid,
    -- For a group session: number of the seat. Unique, so that no session has more seats than its capacity.
    seat smallint not null default 1,
    -- For a group session: number of seats of the service at the time of booking; otherwise 1.
    capacity smallint not null default 1,
    -- What takes the time: appointment or hold.
    kind text not null generated always as (
case
    when hold_id is null then 'appointment'
    else 'hold'
end) stored,
    -- Claims with the same group_session_id may overlap: those of one group session, which have the same range.
    -- Otherwise the id of the claim.
    group_session_id uuid not null generated always as (
case
    when group_key is null then id
    else md5(
        (
            (group_key::text || extract(epoch from starts_at - '1970-01-01 00:00:00+00'::timestamptz)::text) || '/'
        ) || extract(epoch from ends_at - starts_at)::text
    )::uuid
end) stored,
    constraint claims_pkey primary key (tenant_id, id),
    constraint claims_appointment_fkey foreign key (
        tenant_id, appointment_id
    ) references scheduling.appointments(tenant_id, id),
    constraint claims_hold_fkey foreign key (tenant_id, hold_id) references scheduling.holds(tenant_id, id) on delete
    cascade,
    constraint claims_resource_fkey foreign key (tenant_id, resource_id) references scheduling.resources(tenant_id, id),
    constraint claims_service_fkey foreign key (tenant_id, service_id) references scheduling.services(tenant_id, id),
    constraint claims_owner check (num_nonnulls(appointment_id, hold_id) = 1),
    constraint claims_seat check (seat >= 1 and seat <= capacity and (capacity > 1) = (group_key is not null)),
    constraint claims_time check (
        isfinite(starts_at)
        and isfinite(ends_at)
        and starts_at < ends_at
        and (ends_at - starts_at) <= '24:00:00'::interval
    ),
    -- No two claims of a resource overlap, unless they are seats of one group session. scheduling.take_time inserts
    -- claims: a plain insert can deadlock with another.
    constraint claims_no_overlap exclude using gist (
        tenant_id with =, resource_id with =, during with &&, group_session_id with <>
    )
) with (autovacuum_vacuum_scale_factor=0.02, autovacuum_analyze_scale_factor=0.02);

create index claims_appointment_idx on scheduling.claims using btree (tenant_id, appointment_id);
create index claims_hold_idx on scheduling.claims using btree (tenant_id, hold_id) where hold_id is not null;
create unique index claims_seat_key on scheduling.claims using btree (tenant_id, resource_id, group_session_id, seat)
where capacity > 1;
create index claims_service_idx on scheduling.claims using btree (tenant_id, service_id, service_starts_at)
where service_id is not null;
create index claims_time_idx on scheduling.claims using btree (tenant_id, resource_id, starts_at, ends_at);

alter table scheduling.claims enable row level security, force row level security;

create policy tenant_floor on scheduling.claims as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy gate_delete on scheduling.claims as permissive for delete to appointd_gate
    using (tenant_id = (select app.tenant()));
create policy gate_select on scheduling.claims as permissive for select to appointd_gate
    using (tenant_id = (select app.tenant()));
create policy guest_or_customer_delete on scheduling.claims as permissive for delete to appointd_api
    using (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{guest,customer}'))
        and appointment_id = (select app.subject())
        and scheduling.sees_appointment(appointment_id)
    );
create policy guest_or_customer_insert on scheduling.claims as permissive for insert to appointd_api
    with check (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{guest,customer}'))
        and ((select app.subject()) = any (array[appointment_id, hold_id]))
        and scheduling.is_own(appointment_id, hold_id)
    );
create policy guest_or_customer_select on scheduling.claims as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{guest,customer}')));
create policy guest_or_customer_update on scheduling.claims as permissive for update to appointd_api
    using (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{guest,customer}'))
        and case when hold_id is null then appointment_id = (select app.subject()) else true end
        and (
            exists (
                select from scheduling.holds h where h.tenant_id = claims.tenant_id
                and h.id = coalesce(claims.hold_id, h.id)
                and ((select app.subject()) = any (array[h.id, h.waitlist_entry_id]))
            )
        )
    )
    with check (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{guest,customer}'))
        and case when hold_id is null then appointment_id = (select app.subject()) else true end
        and (
            exists (
                select from scheduling.holds h where h.tenant_id = claims.tenant_id
                and h.id = coalesce(claims.hold_id, h.id)
                and ((select app.subject()) = any (array[h.id, h.waitlist_entry_id]))
            )
        )
    );
create policy owner_all on scheduling.claims as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy scheduler_insert on scheduling.claims as permissive for insert to appointd_api
    with check (
        tenant_id = (select app.tenant()) and (select app.role() = any ('{scheduler}')) and hold_id is not null
    );
create policy scheduler_select on scheduling.claims as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{scheduler}')));
create policy staff_delete on scheduling.claims as permissive for delete to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy staff_insert on scheduling.claims as permissive for insert to appointd_api
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy staff_update on scheduling.claims as permissive for update to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')))
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy viewer_select on scheduling.claims as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{viewer,staff,manager,admin,owner}')));

grant select, delete on scheduling.claims to appointd_api;
grant insert (
    id, resource_id, appointment_id, starts_at, ends_at, hold_id, service_id, service_starts_at, service_ends_at,
    expires_at, group_key, seat, capacity
) on scheduling.claims to appointd_api;
grant update (appointment_id, ends_at, hold_id, expires_at) on scheduling.claims to appointd_api;
grant delete on scheduling.claims to appointd_gate;
grant select (tenant_id, id, resource_id, starts_at, ends_at, hold_id) on scheduling.claims to appointd_gate;

create trigger note_freed_delete after delete on scheduling.claims
for each row execute function scheduling.note_freed();
create trigger note_freed_update after update on scheduling.claims
for each row when (new.ends_at < old.ends_at) execute function scheduling.note_freed();


-- Days on which the whole organization is closed, regardless of schedules. Existing appointments are kept.
create table scheduling.closures (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- UUIDv7, made by the server.
    id uuid not null,
    -- The first day, in the zone of the organization.
    starts_on date not null,
    -- The last day, at most 366 days after the first.
    ends_on date not null,
    -- Reason, 1 to 200 characters. Customers may see it.
    name text not null,
    -- When it was entered.
    created_at timestamptz not null default now(),
    -- When it was last changed.
    updated_at timestamptz not null default now(),
    constraint closures_pkey primary key (tenant_id, id),
    constraint closures_tenant_fkey foreign key (tenant_id) references tenancy.organizations(id),
    constraint closures_dates check (starts_on <= ends_on and (ends_on - starts_on) <= 366),
    constraint closures_name_length check (length(name) >= 1 and length(name) <= 200)
);

create index closures_dates_idx on scheduling.closures using btree (tenant_id, ends_on);

alter table scheduling.closures enable row level security, force row level security;

create policy tenant_floor on scheduling.closures as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy guest_or_customer_select on scheduling.closures as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{guest,customer}')));
create policy manager_delete on scheduling.closures as permissive for delete to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{manager,admin,owner}')));
create policy manager_insert on scheduling.closures as permissive for insert to appointd_api
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{manager,admin,owner}')));
create policy manager_update on scheduling.closures as permissive for update to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{manager,admin,owner}')))
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{manager,admin,owner}')));
create policy owner_all on scheduling.closures as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy scheduler_select on scheduling.closures as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{scheduler}')));
create policy viewer_select on scheduling.closures as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{viewer,staff,manager,admin,owner}')));

grant select, delete on scheduling.closures to appointd_api;
grant insert (id, starts_on, ends_on, name) on scheduling.closures to appointd_api;
grant update (starts_on, ends_on, name, updated_at) on scheduling.closures to appointd_api;

create trigger keep_few after insert on scheduling.closures
referencing new table as added for each statement execute function scheduling.keep_closures_few();
create trigger keep_few_update after update on scheduling.closures
referencing new table as added for each statement execute function scheduling.keep_closures_few();
create trigger keep_updated_at before update of tenant_id, id, starts_on, ends_on, name,
created_at on scheduling.closures
for each row execute function app.keep_updated_at('{}');
create trigger note_freed_delete after delete on scheduling.closures
for each row execute function scheduling.note_freed();
create trigger note_freed_update after update on scheduling.closures
for each row execute function scheduling.note_freed();
create trigger record_change after insert or delete or update on scheduling.closures
for each row execute function operations.record_change();
create trigger record_deletion after delete on scheduling.closures
for each row execute function operations.record_deletion('closure');
create trigger record_event after insert or delete or update on scheduling.closures
for each row execute function messaging.record_event('closure', 'viewer', '{}');


-- Time that was freed and has yet to be offered to the waitlist. A row is deleted when every entry that it may suit was
-- considered.
create table scheduling.freed_time (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- Random.
    id uuid not null default gen_random_uuid(),
    -- The resource whose time was freed: a provider, a room, a piece of equipment or a contact. Null: all providers.
    resource_id uuid,
    -- With a resource: the service that took the time and counted towards daily and weekly limits. Without: the service
    -- whose rules changed.
    service_id uuid,
    -- With a service and a resource: the start that counted towards the limits.
    service_starts_at timestamptz,
    -- First instant.
    starts_at timestamptz not null,
    -- First instant after the freed time; infinity: hours or rules changed for good.
    ends_at timestamptz not null,
    -- Start of the transaction that freed it.
    freed_at timestamptz not null default now(),
    -- created_at of the last entry that was considered. Null: none was.
    after_created_at timestamptz,
    -- Id of that entry.
    after_entry_id uuid,
    constraint freed_time_pkey primary key (tenant_id, id),
    constraint freed_time_tenant_fkey foreign key (tenant_id) references tenancy.organizations(id),
    constraint freed_time_after check ((after_created_at is null) = (after_entry_id is null)),
    constraint freed_time_time check (starts_at < ends_at)
);

create index freed_time_due_idx on scheduling.freed_time using btree (freed_at);
create index freed_time_order_idx on scheduling.freed_time using btree (tenant_id, freed_at, id);

alter table scheduling.freed_time enable row level security, force row level security;

create policy tenant_floor_delete on scheduling.freed_time as restrictive for delete to public
    using (tenant_id = (select app.tenant()));
create policy tenant_floor_insert on scheduling.freed_time as restrictive for insert to public
    with check (tenant_id = (select app.tenant()));
create policy tenant_floor_select on scheduling.freed_time as restrictive for select to public
    using (tenant_id = (select app.tenant()) or (select current_user) = 'appointd_gate'::name);
create policy tenant_floor_update on scheduling.freed_time as restrictive for update to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy gate_insert on scheduling.freed_time as permissive for insert to appointd_gate
    with check (tenant_id = (select app.tenant()));
create policy gate_select on scheduling.freed_time as permissive for select to appointd_gate
    using (true);
create policy owner_all on scheduling.freed_time as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy owner_select on scheduling.freed_time as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{owner}')));
create policy scheduler_delete on scheduling.freed_time as permissive for delete to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{scheduler}')));
create policy scheduler_select on scheduling.freed_time as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{scheduler}')));
create policy scheduler_update on scheduling.freed_time as permissive for update to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{scheduler}')))
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{scheduler}')));

grant select, delete on scheduling.freed_time to appointd_api;
grant update (after_created_at, after_entry_id) on scheduling.freed_time to appointd_api;
grant insert (resource_id, service_id, service_starts_at, starts_at, ends_at) on scheduling.freed_time to appointd_gate;
grant select (tenant_id, freed_at) on scheduling.freed_time to appointd_gate;


-- What guests gave who have yet to open the link sent by e-mail. Deleted with the hold, when that expires or becomes an
-- appointment.
create table scheduling.guest_bookings (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- The hold that keeps the time; its id becomes that of the appointment.
    hold_id uuid not null,
    -- Given name, 1 to 100 characters.
    first_name text not null,
    -- Family name, 1 to 100 characters.
    last_name text not null,
    -- The address the link was sent to, lower case.
    email text not null,
    -- Telephone number as the person writes it; null: not given.
    phone text,
    -- Message to the organization; null: none.
    note text,
    -- When it was booked.
    created_at timestamptz not null default now(),
    constraint guest_bookings_pkey primary key (tenant_id, hold_id),
    constraint guest_bookings_hold_fkey foreign key (tenant_id, hold_id) references scheduling.holds(tenant_id, id) on
    delete cascade,
    constraint guest_bookings_email_lower_case check (
        email = lower(email) and length(email) >= 3 and length(email) <= 254
    ),
    constraint guest_bookings_first_name_length check (length(first_name) >= 1 and length(first_name) <= 100),
    constraint guest_bookings_last_name_length check (length(last_name) >= 1 and length(last_name) <= 100),
    constraint guest_bookings_note_length check (length(note) >= 1 and length(note) <= 500),
    constraint guest_bookings_phone_length check (length(phone) >= 1 and length(phone) <= 50)
);

alter table scheduling.guest_bookings enable row level security, force row level security;

create policy tenant_floor on scheduling.guest_bookings as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy gate_select on scheduling.guest_bookings as permissive for select to appointd_gate
    using (tenant_id = (select app.tenant()));
create policy guest_insert on scheduling.guest_bookings as permissive for insert to appointd_api
    with check (
        tenant_id = (select app.tenant()) and (select app.role() = any ('{guest}')) and hold_id = (select app.subject())
    );
create policy guest_select on scheduling.guest_bookings as permissive for select to appointd_api
    using (
        tenant_id = (select app.tenant()) and (select app.role() = any ('{guest}')) and hold_id = (select app.subject())
    );
create policy owner_all on scheduling.guest_bookings as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy staff_select on scheduling.guest_bookings as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));

grant select on scheduling.guest_bookings to appointd_api;
grant insert (hold_id, first_name, last_name, email, phone, note) on scheduling.guest_bookings to appointd_api;
grant select (tenant_id, hold_id, email) on scheduling.guest_bookings to appointd_gate;

create trigger record_change after insert or delete or update on scheduling.guest_bookings
for each row execute function operations.record_change();


-- Number of bookings that guests requested, by network address and by e-mail address. Rows older than a day are
-- deleted.
create table scheduling.guest_requests (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- address (counted per hour) or email (counted per day).
    kind text not null,
    -- SHA-256 of the organization and the address.
    subject bytea not null,
    -- When counting began.
    since timestamptz not null default now(),
    -- Number of requests since then.
    requests integer not null default 1,
    constraint guest_requests_pkey primary key (tenant_id, kind, subject),
    constraint guest_requests_tenant_fkey foreign key (tenant_id) references tenancy.organizations(id),
    constraint guest_requests_kind check (kind = any (array['address', 'email'])),
    constraint guest_requests_subject_length check (length(subject) = 32)
);

create index guest_requests_since_idx on scheduling.guest_requests using btree (tenant_id, since);

alter table scheduling.guest_requests enable row level security, force row level security;

create policy tenant_floor on scheduling.guest_requests as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy gate_delete on scheduling.guest_requests as permissive for delete to appointd_gate
    using (tenant_id = (select app.tenant()));
create policy gate_insert on scheduling.guest_requests as permissive for insert to appointd_gate
    with check (tenant_id = (select app.tenant()));
create policy gate_select on scheduling.guest_requests as permissive for select to appointd_gate
    using (tenant_id = (select app.tenant()));
create policy gate_update on scheduling.guest_requests as permissive for update to appointd_gate
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy owner_all on scheduling.guest_requests as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy owner_select on scheduling.guest_requests as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{owner}')));

grant select on scheduling.guest_requests to appointd_api;
grant select, delete on scheduling.guest_requests to appointd_gate;
grant insert (kind, subject) on scheduling.guest_requests to appointd_gate;
grant update (since, requests) on scheduling.guest_requests to appointd_gate;


-- Time that is kept for a person for some minutes. Confirmed in time, a hold becomes an appointment. An expired hold
-- counts for nothing: the next booking deletes it, or the worker does after some seconds.
create table scheduling.holds (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- UUIDv7, made by the server.
    id uuid not null,
    -- The service to be booked.
    service_id uuid not null,
    -- The provider whose time is held.
    provider_id uuid not null,
    -- First instant.
    starts_at timestamptz not null,
    -- First instant after it.
    ends_at timestamptz not null,
    -- Until when it can be confirmed, by the clock of the database.
    expires_at timestamptz not null,
    -- Whether staff held it against the rules of the service.
    overridden boolean not null default false,
    -- For an offer: the entry of the waitlist. An expired offer goes to the next entry.
    waitlist_entry_id uuid,
    -- When it was made.
    created_at timestamptz not null default now(),
    -- The account or API key that made it; null: the waitlist. Filled from the context.
    created_by uuid default coalesce(app.account(), app.api_key()),
    constraint holds_pkey primary key (tenant_id, id),
    constraint holds_waitlist_entry_key unique (tenant_id, waitlist_entry_id),
    constraint holds_provider_fkey foreign key (
        tenant_id, provider_id
    ) references scheduling.providers(tenant_id, id) on delete cascade,
    constraint holds_service_fkey foreign key (
        tenant_id, service_id
    ) references scheduling.services(tenant_id, id) on delete cascade,
    constraint holds_waitlist_entry_fkey foreign key (
        tenant_id, waitlist_entry_id
    ) references scheduling.waitlist_entries(tenant_id, id) on delete cascade,
    constraint holds_time check (starts_at < ends_at)
) with (autovacuum_vacuum_scale_factor=0.02, autovacuum_analyze_scale_factor=0.02);

create index holds_due_idx on scheduling.holds using btree (expires_at);
create index holds_expires_idx on scheduling.holds using btree (tenant_id, expires_at);
create index holds_provider_idx on scheduling.holds using btree (tenant_id, provider_id);
create index holds_service_idx on scheduling.holds using btree (tenant_id, service_id);

alter table scheduling.holds enable row level security, force row level security;

create policy tenant_floor_delete on scheduling.holds as restrictive for delete to public
    using (tenant_id = (select app.tenant()));
create policy tenant_floor_insert on scheduling.holds as restrictive for insert to public
    with check (tenant_id = (select app.tenant()));
create policy tenant_floor_select on scheduling.holds as restrictive for select to public
    using (tenant_id = (select app.tenant()) or (select current_user) = 'appointd_gate'::name);
create policy tenant_floor_update on scheduling.holds as restrictive for update to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy customer_delete on scheduling.holds as permissive for delete to appointd_api
    using (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{customer}'))
        and case
            when expires_at <= statement_timestamp()
            and waitlist_entry_id is null then true
            when id = (select app.subject()) then created_by = (select app.account())
            else scheduling.sees_waitlist_entry(waitlist_entry_id)
        end
    );
create policy customer_select on scheduling.holds as permissive for select to appointd_api
    using (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{customer}'))
        and case
            when expires_at <= statement_timestamp() then true
            when created_by = (select app.account()) then waitlist_entry_id is null
            else scheduling.sees_waitlist_entry(waitlist_entry_id)
        end
    );
create policy customer_update on scheduling.holds as permissive for update to appointd_api
    using (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{customer}'))
        and case
            when expires_at <= statement_timestamp()
            and waitlist_entry_id is null then true
            when id = (select app.subject()) then created_by = (select app.account())
            else scheduling.sees_waitlist_entry(waitlist_entry_id)
        end
    )
    with check (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{customer}'))
        and case
            when expires_at <= statement_timestamp()
            and waitlist_entry_id is null then true
            when id = (select app.subject()) then created_by = (select app.account())
            else scheduling.sees_waitlist_entry(waitlist_entry_id)
        end
    );
create policy gate_select on scheduling.holds as permissive for select to appointd_gate
    using (true);
create policy guest_delete on scheduling.holds as permissive for delete to appointd_api
    using (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{guest}'))
        and case
            when expires_at <= statement_timestamp()
            and waitlist_entry_id is null then true
            when id = (select app.subject()) then created_by is null
            else scheduling.sees_waitlist_entry(waitlist_entry_id)
        end
    );
create policy guest_or_customer_insert on scheduling.holds as permissive for insert to appointd_api
    with check (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{guest,customer}'))
        and id = (select app.subject())
        and waitlist_entry_id is null
    );
create policy guest_select on scheduling.holds as permissive for select to appointd_api
    using (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{guest}'))
        and case
            when expires_at <= statement_timestamp() then true
            when id = (select app.subject()) then created_by is null
            else scheduling.sees_waitlist_entry(waitlist_entry_id)
        end
    );
create policy guest_update on scheduling.holds as permissive for update to appointd_api
    using (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{guest}'))
        and case
            when expires_at <= statement_timestamp()
            and waitlist_entry_id is null then true
            when id = (select app.subject()) then created_by is null
            else scheduling.sees_waitlist_entry(waitlist_entry_id)
        end
    )
    with check (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{guest}'))
        and case
            when expires_at <= statement_timestamp()
            and waitlist_entry_id is null then true
            when id = (select app.subject()) then created_by is null
            else scheduling.sees_waitlist_entry(waitlist_entry_id)
        end
    );
create policy owner_all on scheduling.holds as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy scheduler_delete on scheduling.holds as permissive for delete to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{scheduler}')));
create policy scheduler_insert on scheduling.holds as permissive for insert to appointd_api
    with check (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{scheduler}'))
        and waitlist_entry_id is not null
    );
create policy scheduler_select on scheduling.holds as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{scheduler}')));
create policy scheduler_update on scheduling.holds as permissive for update to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{scheduler}')))
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{scheduler}')));
create policy staff_delete on scheduling.holds as permissive for delete to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy staff_insert on scheduling.holds as permissive for insert to appointd_api
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy staff_update on scheduling.holds as permissive for update to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy viewer_select on scheduling.holds as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{viewer,staff,manager,admin,owner}')));

grant select, delete on scheduling.holds to appointd_api;
grant insert (
    id, service_id, provider_id, starts_at, ends_at, expires_at, overridden, waitlist_entry_id
) on scheduling.holds to appointd_api;
grant update (overridden) on scheduling.holds to appointd_api;
grant select (tenant_id, provider_id, expires_at, waitlist_entry_id, created_by) on scheduling.holds to appointd_gate;

create trigger keep_few after insert on scheduling.holds
for each row when (new.waitlist_entry_id is null) execute function scheduling.keep_holds_few();
create trigger record_change after insert or delete or update on scheduling.holds
for each row execute function operations.record_change();
create trigger record_event after insert on scheduling.holds
for each row execute function scheduling.record_hold_event();
create trigger record_event_expired after delete on scheduling.holds
for each row when (old.expires_at <= statement_timestamp()) execute function scheduling.record_hold_event();


-- Members who were asked to be a provider and have not answered. Accepting moves account_id to scheduling.providers and
-- deletes the row.
create table scheduling.provider_link_requests (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- The provider.
    provider_id uuid not null,
    -- The person who is asked.
    account_id uuid not null,
    -- When the person was asked.
    requested_at timestamptz not null default now(),
    -- The account or API key that asked. Filled from the context.
    requested_by uuid default coalesce(app.account(), app.api_key()),
    constraint provider_link_requests_pkey primary key (tenant_id, provider_id),
    constraint provider_link_requests_account_key unique (tenant_id, account_id),
    constraint provider_link_requests_account_fkey foreign key (tenant_id, account_id) references tenancy.members(
        tenant_id, account_id
    ) on delete cascade,
    constraint provider_link_requests_provider_fkey foreign key (
        tenant_id, provider_id
    ) references scheduling.providers(tenant_id, id) on delete cascade
);

alter table scheduling.provider_link_requests enable row level security, force row level security;

create policy tenant_floor on scheduling.provider_link_requests as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy admin_delete on scheduling.provider_link_requests as permissive for delete to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{admin,owner}')));
create policy admin_insert on scheduling.provider_link_requests as permissive for insert to appointd_api
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{admin,owner}')));
create policy gate_delete on scheduling.provider_link_requests as permissive for delete to appointd_gate
    using (tenant_id = (select app.tenant()));
create policy gate_select on scheduling.provider_link_requests as permissive for select to appointd_gate
    using (tenant_id = (select app.tenant()));
create policy owner_all on scheduling.provider_link_requests as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy viewer_select on scheduling.provider_link_requests as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{viewer,staff,manager,admin,owner}')));

grant select, delete on scheduling.provider_link_requests to appointd_api;
grant insert (provider_id, account_id) on scheduling.provider_link_requests to appointd_api;
grant select, delete on scheduling.provider_link_requests to appointd_gate;

create trigger record_change after insert or delete or update on scheduling.provider_link_requests
for each row execute function operations.record_change();
create trigger touch_provider after insert or delete on scheduling.provider_link_requests
for each row execute function scheduling.touch_provider();


-- A person who performs services.
create table scheduling.providers (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- The id of the resource whose time is booked.
    id uuid not null,
    -- Always provider: ties the row to a resource of that kind.
    kind text not null generated always as ('provider') stored,
    -- Name shown to people, 1 to 200 characters.
    name text not null,
    -- Whether the provider can be booked. One with appointments cannot be deleted, only made inactive.
    active boolean not null default true,
    -- When the provider was created.
    created_at timestamptz not null default now(),
    -- When the row last changed.
    updated_at timestamptz not null default now(),
    -- When the name last changed; null: never. The description of calendar entries shows the name.
    renamed_at timestamptz,
    -- Maximum number of appointments a day, in the zone of the organization; null: unlimited. A group session counts
    -- once.
    max_per_day integer,
    -- Maximum number of appointments a week, from Monday to Sunday; null: unlimited.
    max_per_week integer,
    -- Account of the person, who accepted the link (scheduling.provider_link_requests). A person who is a provider of
    -- several organizations is never booked twice at the same time: scheduling.shared_claims.
    account_id uuid,
    -- Id in another system, at most 200 characters; null: none.
    external_id text,
    -- What other programs note about it: an object of at most 20 strings of at most 500 characters; null: nothing.
    metadata jsonb,
    constraint providers_pkey primary key (tenant_id, id),
    constraint providers_account_key unique (tenant_id, account_id),
    constraint providers_person_key unique (tenant_id, id, account_id),
    constraint providers_account_fkey foreign key (tenant_id, account_id) references tenancy.members(
        tenant_id, account_id
    ) on delete set null (account_id),
    constraint providers_resource_fkey foreign key (tenant_id, id, kind) references scheduling.resources(tenant_id, id,
    kind) on delete cascade,
    constraint providers_external_id_length check (length(external_id) >= 1 and length(external_id) <= 200),
    constraint providers_limits check (
        max_per_day >= 1 and max_per_day <= 10000 and max_per_week >= 1 and max_per_week <= 10000
    ),
    constraint providers_metadata check (
        jsonb_typeof(metadata) = 'object'
        and jsonb_array_length(jsonb_path_query_array(metadata, '$.keyvalue()'::jsonpath)) <= 20
        and not jsonb_path_exists(metadata, '$.keyvalue()?(!(@."key" like_regex "^[A-Za-z0-9_.-]{1,40}$"))'::jsonpath)
        and not jsonb_path_exists(
            metadata, 'strict $.*?(@.type() != "string" || !(@ like_regex "^.{0,250}.{0,250}$" flag "s"))'::jsonpath
        )
    ),
    constraint providers_name_length check (length(name) >= 1 and length(name) <= 200)
);

create unique index providers_external_id_key on scheduling.providers using btree (tenant_id, external_id)
where external_id is not null;
create index providers_updated_idx on scheduling.providers using btree (tenant_id, updated_at);

alter table scheduling.providers enable row level security, force row level security;

create policy tenant_floor on scheduling.providers as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy admin_delete on scheduling.providers as permissive for delete to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{admin,owner}')));
create policy admin_insert on scheduling.providers as permissive for insert to appointd_api
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{admin,owner}')));
create policy admin_update on scheduling.providers as permissive for update to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{admin,owner}')))
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{admin,owner}')));
create policy gate_select on scheduling.providers as permissive for select to appointd_gate
    using (tenant_id = (select app.tenant()));
create policy gate_update on scheduling.providers as permissive for update to appointd_gate
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy guest_or_customer_select on scheduling.providers as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{guest,customer}')) and active);
create policy owner_all on scheduling.providers as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy scheduler_select on scheduling.providers as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{scheduler}')));
create policy viewer_select on scheduling.providers as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{viewer,staff,manager,admin,owner}')));
create policy worker_select on scheduling.providers as permissive for select to appointd_worker
    using (tenant_id = (select app.tenant()));

grant select on scheduling.providers to appointd_api;
grant insert (id, name, max_per_day, max_per_week, external_id, metadata) on scheduling.providers to appointd_api;
grant update (
    name, active, updated_at, renamed_at, max_per_day, max_per_week, external_id, metadata
) on scheduling.providers to appointd_api;
grant select (
    tenant_id, id, name, active, renamed_at, max_per_day, max_per_week, account_id
) on scheduling.providers to appointd_gate;
grant update (updated_at, account_id) on scheduling.providers to appointd_gate;
grant select (tenant_id, id, name, account_id) on scheduling.providers to appointd_worker;

create trigger keep_updated_at before update of tenant_id, id, name, active, created_at, renamed_at, max_per_day,
max_per_week, account_id, external_id, metadata on scheduling.providers
for each row execute function app.keep_updated_at('{kind}');
create trigger keep_within_plan_insert after insert on scheduling.providers
for each row when (new.active) execute function tenancy.keep_within_plan('providers');
create trigger keep_within_plan_update after update of active on scheduling.providers
for each row when (new.active and not old.active) execute function tenancy.keep_within_plan('providers');
create trigger note_freed_update after update on scheduling.providers
for each row when (new.active) execute function scheduling.note_freed();
create trigger record_change after insert or delete or update on scheduling.providers
for each row execute function operations.record_change();
create trigger record_deletion after delete on scheduling.providers
for each row execute function operations.record_deletion('provider');
create trigger record_event after insert or delete or update on scheduling.providers
for each row execute function messaging.record_event('provider', 'viewer', '{kind}');
create trigger touch before update of account_id on scheduling.providers
for each row when (new.account_id is distinct from old.account_id) execute function app.touch();


-- Providers, rooms, equipment and contacts: each is in one place at a time. Rows of scheduling.claims take their time.
create table scheduling.resources (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- UUIDv7. A provider, and a contact, has the id of its resource.
    id uuid not null,
    -- provider: a person who performs services. room, equipment: what services require. contact: a person who has
    -- appointments.
    kind text not null,
    -- For rooms and equipment: name shown to people, 1 to 200 characters.
    name text,
    -- For rooms and equipment: whether they can be used.
    active boolean not null default true,
    -- When the row was created.
    created_at timestamptz not null default now(),
    -- When name or active last changed.
    updated_at timestamptz not null default now(),
    -- For a contact: its id, so that deleting the contact deletes the resource.
    contact_id uuid generated always as (
case
    when kind = 'contact' then id
    else null::uuid
end) stored,
    constraint resources_pkey primary key (tenant_id, id),
    constraint resources_kind_key unique (tenant_id, id, kind),
    constraint resources_contact_fkey foreign key (
        tenant_id, contact_id
    ) references crm.contacts(tenant_id, id) on delete cascade,
    constraint resources_tenant_fkey foreign key (tenant_id) references tenancy.organizations(id),
    constraint resources_kind check (kind = any (array['provider', 'room', 'equipment', 'contact'])),
    constraint resources_name check ((kind = any (array['room', 'equipment'])) = (name is not null)),
    constraint resources_name_length check (length(name) >= 1 and length(name) <= 200)
);

create index resources_contact_idx on scheduling.resources using btree (tenant_id, contact_id)
where contact_id is not null;
create index resources_listed_idx on scheduling.resources using btree (tenant_id, id)
where kind = any (array['room', 'equipment']);

alter table scheduling.resources enable row level security, force row level security;

create policy tenant_floor on scheduling.resources as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy admin_delete on scheduling.resources as permissive for delete to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{admin,owner}')));
create policy admin_insert on scheduling.resources as permissive for insert to appointd_api
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{admin,owner}')));
create policy admin_update on scheduling.resources as permissive for update to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{admin,owner}')))
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{admin,owner}')));
create policy customer_insert on scheduling.resources as permissive for insert to appointd_api
    with check (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{customer}'))
        and kind = 'contact'
        and (id = any ((select crm.own_contacts() as own_contacts)::uuid[]))
    );
create policy customer_select on scheduling.resources as permissive for select to appointd_api
    using (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{customer}'))
        and kind = 'contact'
        and (id = any ((select crm.own_contacts() as own_contacts)::uuid[]))
    );
create policy guest_insert on scheduling.resources as permissive for insert to appointd_api
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{guest}')) and kind = 'contact');
create policy guest_or_customer_select on scheduling.resources as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{guest,customer}')) and kind <> 'contact');
create policy owner_all on scheduling.resources as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy scheduler_select on scheduling.resources as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{scheduler}')));
create policy staff_insert on scheduling.resources as permissive for insert to appointd_api
    with check (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{staff,manager,admin,owner}'))
        and kind = 'contact'
    );
create policy viewer_select on scheduling.resources as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{viewer,staff,manager,admin,owner}')));

grant select, delete on scheduling.resources to appointd_api;
grant insert (id, kind, name) on scheduling.resources to appointd_api;
grant update (name, active, updated_at) on scheduling.resources to appointd_api;

create trigger keep_updated_at before update of tenant_id, id, kind, name, active, created_at on scheduling.resources
for each row execute function app.keep_updated_at('{contact_id}');
create trigger note_freed_update after update on scheduling.resources
for each row when (new.active and new.kind <> 'contact') execute function scheduling.note_freed();
create trigger record_change after insert or delete or update on scheduling.resources
for each row execute function operations.record_change();
create trigger record_deletion after delete on scheduling.resources
for each row when (old.kind = any (array['room', 'equipment'])) execute function operations.record_deletion('resource');


-- Dates on which other hours replace those of the weekly rules.
create table scheduling.schedule_overrides (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- Whose hours these are.
    provider_id uuid not null,
    -- The date, in the zone of the schedule, on which the replaced and the replacing intervals begin.
    date date not null,
    -- First minute of each interval, counted from midnight; at most 24. Empty: closed all day.
    from_minutes smallint[] not null,
    -- First minute after each interval, as in schedule_rules, in the same order.
    to_minutes smallint[] not null,
    -- from_minutes as statements return it.
    from_bytes bytea not null generated always as (scheduling.binary_form(from_minutes)) stored,
    -- to_minutes as statements return it.
    to_bytes bytea not null generated always as (scheduling.binary_form(to_minutes)) stored,
    constraint schedule_overrides_pkey primary key (tenant_id, provider_id, date),
    constraint schedule_overrides_schedule_fkey foreign key (tenant_id, provider_id) references scheduling.schedules(
        tenant_id, provider_id
    ) on delete cascade,
    constraint schedule_overrides_from_minutes check ((0 <= all (from_minutes)) and (1439 >= all (from_minutes))),
    constraint schedule_overrides_intervals check (cardinality(from_minutes) <= 24),
    constraint schedule_overrides_pairs check (cardinality(from_minutes) = cardinality(to_minutes)),
    constraint schedule_overrides_to_minutes check ((0 <= all (to_minutes)) and (1440 >= all (to_minutes)))
);

alter table scheduling.schedule_overrides enable row level security, force row level security;

create policy tenant_floor on scheduling.schedule_overrides as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy guest_or_customer_select on scheduling.schedule_overrides as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{guest,customer}')));
create policy manager_delete on scheduling.schedule_overrides as permissive for delete to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{manager,admin,owner}')));
create policy manager_insert on scheduling.schedule_overrides as permissive for insert to appointd_api
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{manager,admin,owner}')));
create policy owner_all on scheduling.schedule_overrides as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy scheduler_select on scheduling.schedule_overrides as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{scheduler}')));
create policy viewer_select on scheduling.schedule_overrides as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{viewer,staff,manager,admin,owner}')));

grant select, delete on scheduling.schedule_overrides to appointd_api;
grant insert (provider_id, date, from_minutes, to_minutes) on scheduling.schedule_overrides to appointd_api;

create trigger keep_short after insert on scheduling.schedule_overrides
referencing new table as added for each statement execute function scheduling.keep_schedules_short();
create trigger record_change after insert or delete or update on scheduling.schedule_overrides
for each row execute function operations.record_change();


-- Weekly hours, one row per interval.
create table scheduling.schedule_rules (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- Whose hours these are.
    provider_id uuid not null,
    -- ISO 8601: 1 is Monday, 7 is Sunday. The day on which the interval begins.
    weekday smallint not null,
    -- First minute of the interval, counted from midnight.
    from_minute smallint not null,
    -- First minute after the interval, counted from midnight; 1440 is the end of the day. If not after from_minute, it
    -- is on the next day.
    to_minute smallint not null,
    -- First date of the rule. 0001-01-01: no bound.
    valid_from date not null default '0001-01-01'::date,
    -- Last date of the rule. 9999-12-31: no bound.
    valid_until date not null default '9999-12-31'::date,
    constraint schedule_rules_pkey primary key (tenant_id, provider_id, weekday, from_minute, valid_from),
    constraint schedule_rules_schedule_fkey foreign key (tenant_id, provider_id) references scheduling.schedules(
        tenant_id, provider_id
    ) on delete cascade,
    constraint schedule_rules_from_minute check (from_minute >= 0 and from_minute <= 1439),
    constraint schedule_rules_to_minute check (to_minute >= 0 and to_minute <= 1440),
    constraint schedule_rules_validity check (valid_from <= valid_until),
    constraint schedule_rules_weekday check (weekday >= 1 and weekday <= 7)
);

alter table scheduling.schedule_rules enable row level security, force row level security;

create policy tenant_floor on scheduling.schedule_rules as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy guest_or_customer_select on scheduling.schedule_rules as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{guest,customer}')));
create policy manager_delete on scheduling.schedule_rules as permissive for delete to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{manager,admin,owner}')));
create policy manager_insert on scheduling.schedule_rules as permissive for insert to appointd_api
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{manager,admin,owner}')));
create policy owner_all on scheduling.schedule_rules as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy scheduler_select on scheduling.schedule_rules as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{scheduler}')));
create policy viewer_select on scheduling.schedule_rules as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{viewer,staff,manager,admin,owner}')));

grant select, delete on scheduling.schedule_rules to appointd_api;
grant insert (
    provider_id, weekday, from_minute, to_minute, valid_from, valid_until
) on scheduling.schedule_rules to appointd_api;

create trigger keep_short after insert on scheduling.schedule_rules
referencing new table as added for each statement execute function scheduling.keep_schedules_short();
create trigger record_change after insert or delete or update on scheduling.schedule_rules
for each row execute function operations.record_change();


-- Dates on which the hours of a provider are wall time in another zone.
create table scheduling.schedule_travels (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- The provider.
    provider_id uuid not null,
    -- The first date.
    starts_on date not null,
    -- The last date.
    ends_on date not null,
    -- IANA time zone name, checked by the server.
    time_zone text not null,
    constraint schedule_travels_pkey primary key (tenant_id, provider_id, starts_on),
    constraint schedule_travels_schedule_fkey foreign key (tenant_id, provider_id) references scheduling.schedules(
        tenant_id, provider_id
    ) on delete cascade,
    constraint schedule_travels_dates check (starts_on <= ends_on),
    constraint schedule_travels_time_zone_length check (length(time_zone) >= 1 and length(time_zone) <= 64)
);

alter table scheduling.schedule_travels enable row level security, force row level security;

create policy tenant_floor on scheduling.schedule_travels as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy guest_or_customer_select on scheduling.schedule_travels as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{guest,customer}')));
create policy manager_delete on scheduling.schedule_travels as permissive for delete to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{manager,admin,owner}')));
create policy manager_insert on scheduling.schedule_travels as permissive for insert to appointd_api
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{manager,admin,owner}')));
create policy owner_all on scheduling.schedule_travels as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy scheduler_select on scheduling.schedule_travels as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{scheduler}')));
create policy viewer_select on scheduling.schedule_travels as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{viewer,staff,manager,admin,owner}')));

grant select, delete on scheduling.schedule_travels to appointd_api;
grant insert (provider_id, starts_on, ends_on, time_zone) on scheduling.schedule_travels to appointd_api;

create trigger keep_short after insert on scheduling.schedule_travels
referencing new table as added for each statement execute function scheduling.keep_schedules_short();
create trigger record_change after insert or delete or update on scheduling.schedule_travels
for each row execute function operations.record_change();


-- Working hours of a provider. A provider without a schedule has no hours and is never offered.
create table scheduling.schedules (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- Whose hours these are.
    provider_id uuid not null,
    -- IANA time zone name, checked by the server. Rules and overrides are wall time in it.
    time_zone text not null,
    -- When the schedule was last replaced.
    updated_at timestamptz not null default now(),
    constraint schedules_pkey primary key (tenant_id, provider_id),
    constraint schedules_provider_fkey foreign key (
        tenant_id, provider_id
    ) references scheduling.providers(tenant_id, id) on delete cascade,
    constraint schedules_time_zone_length check (length(time_zone) >= 1 and length(time_zone) <= 64)
);

alter table scheduling.schedules enable row level security, force row level security;

create policy tenant_floor on scheduling.schedules as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy guest_or_customer_select on scheduling.schedules as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{guest,customer}')));
create policy manager_insert on scheduling.schedules as permissive for insert to appointd_api
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{manager,admin,owner}')));
create policy manager_update on scheduling.schedules as permissive for update to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{manager,admin,owner}')))
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{manager,admin,owner}')));
create policy owner_all on scheduling.schedules as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy scheduler_select on scheduling.schedules as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{scheduler}')));
create policy viewer_select on scheduling.schedules as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{viewer,staff,manager,admin,owner}')));

grant select on scheduling.schedules to appointd_api;
grant insert (provider_id, time_zone) on scheduling.schedules to appointd_api;
grant update (time_zone, updated_at) on scheduling.schedules to appointd_api;

create trigger note_freed_write after insert or update on scheduling.schedules
for each row execute function scheduling.note_freed();
create trigger record_change after insert or delete or update on scheduling.schedules
for each row execute function operations.record_change();
create trigger record_event after insert or update on scheduling.schedules
for each row execute function messaging.record_event('schedule', 'viewer', '{}');


-- Recurring appointments that were booked together.
create table scheduling.series (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- UUIDv7, made by the server.
    id uuid not null,
    -- daily, weekly or monthly.
    frequency text not null,
    -- Interval: every so many days, weeks or months.
    every smallint not null,
    -- Number of appointments that were booked, 2 to 104.
    occurrences smallint not null,
    -- IANA time zone in which all of them start at the same time of day.
    time_zone text not null,
    -- When it was booked.
    created_at timestamptz not null default now(),
    constraint series_pkey primary key (tenant_id, id),
    constraint series_tenant_fkey foreign key (tenant_id) references tenancy.organizations(id),
    constraint series_every check (every >= 1 and every <= 52),
    constraint series_frequency check (frequency = any (array['daily', 'weekly', 'monthly'])),
    constraint series_occurrences check (occurrences >= 2 and occurrences <= 104),
    constraint series_time_zone_length check (length(time_zone) >= 1 and length(time_zone) <= 64)
);

alter table scheduling.series enable row level security, force row level security;

create policy tenant_floor on scheduling.series as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy gate_select on scheduling.series as permissive for select to appointd_gate
    using (tenant_id = (select app.tenant()));
create policy owner_all on scheduling.series as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy staff_insert on scheduling.series as permissive for insert to appointd_api
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy viewer_select on scheduling.series as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{viewer,staff,manager,admin,owner}')));

grant select on scheduling.series to appointd_api;
grant insert (id, frequency, every, occurrences, time_zone) on scheduling.series to appointd_api;
grant select (tenant_id, id, occurrences) on scheduling.series to appointd_gate;

create trigger record_change after insert or delete or update on scheduling.series
for each row execute function operations.record_change();


-- Who performs a service. No row for a service: all providers.
create table scheduling.service_providers (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- The service.
    service_id uuid not null,
    -- A provider who performs it.
    provider_id uuid not null,
    constraint service_providers_pkey primary key (tenant_id, service_id, provider_id),
    constraint service_providers_provider_fkey foreign key (
        tenant_id, provider_id
    ) references scheduling.providers(tenant_id, id) on delete cascade,
    constraint service_providers_service_fkey foreign key (
        tenant_id, service_id
    ) references scheduling.services(tenant_id, id) on delete cascade
);

create index service_providers_provider_idx on scheduling.service_providers using btree (tenant_id, provider_id);

alter table scheduling.service_providers enable row level security, force row level security;

create policy tenant_floor on scheduling.service_providers as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy guest_or_customer_select on scheduling.service_providers as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{guest,customer}')));
create policy manager_delete on scheduling.service_providers as permissive for delete to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{manager,admin,owner}')));
create policy manager_insert on scheduling.service_providers as permissive for insert to appointd_api
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{manager,admin,owner}')));
create policy owner_all on scheduling.service_providers as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy scheduler_select on scheduling.service_providers as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{scheduler}')));
create policy viewer_select on scheduling.service_providers as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{viewer,staff,manager,admin,owner}')));

grant select, delete on scheduling.service_providers to appointd_api;
grant insert (service_id, provider_id) on scheduling.service_providers to appointd_api;

create trigger record_change after insert or delete or update on scheduling.service_providers
for each row execute function operations.record_change();


-- What a service requires beside its provider. Any one of the resources of a requirement meets it.
create table scheduling.service_resources (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- The service.
    service_id uuid not null,
    -- Number of the requirement, 1 to 5.
    requirement smallint not null,
    -- A room or piece of equipment that meets it.
    resource_id uuid not null,
    constraint service_resources_pkey primary key (tenant_id, service_id, requirement, resource_id),
    constraint service_resources_resource_fkey foreign key (
        tenant_id, resource_id
    ) references scheduling.resources(tenant_id, id),
    constraint service_resources_service_fkey foreign key (
        tenant_id, service_id
    ) references scheduling.services(tenant_id, id) on delete cascade,
    constraint service_resources_requirement check (requirement >= 1 and requirement <= 5)
);

create index service_resources_resource_idx on scheduling.service_resources using btree (tenant_id, resource_id);

alter table scheduling.service_resources enable row level security, force row level security;

create policy tenant_floor on scheduling.service_resources as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy guest_or_customer_select on scheduling.service_resources as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{guest,customer}')));
create policy manager_delete on scheduling.service_resources as permissive for delete to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{manager,admin,owner}')));
create policy manager_insert on scheduling.service_resources as permissive for insert to appointd_api
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{manager,admin,owner}')));
create policy owner_all on scheduling.service_resources as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy scheduler_select on scheduling.service_resources as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{scheduler}')));
create policy viewer_select on scheduling.service_resources as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{viewer,staff,manager,admin,owner}')));

grant select, delete on scheduling.service_resources to appointd_api;
grant insert (service_id, requirement, resource_id) on scheduling.service_resources to appointd_api;

create trigger record_change after insert or delete or update on scheduling.service_resources
for each row execute function operations.record_change();


-- Something an organization offers by appointment.
create table scheduling.services (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- UUIDv7, so that the order of ids is the order of creation.
    id uuid not null,
    -- Name shown to people, 1 to 200 characters.
    name text not null,
    -- Description for customers, at most 2,000 characters; null: none.
    description text,
    -- Duration of an appointment in elapsed minutes, 1 to 1,440.
    duration_minutes integer not null,
    -- Minutes from one offered start to the next, counted from the beginning of each interval of working hours, 1 to
    -- 1,440.
    slot_step_minutes integer not null,
    -- Whether it can be booked. A service with appointments cannot be deleted, only made inactive.
    active boolean not null default true,
    -- When the service was created.
    created_at timestamptz not null default now(),
    -- When the row last changed.
    updated_at timestamptz not null default now(),
    -- How often the name changed. Part of the SEQUENCE of calendar entries (RFC 5545 section 3.8.7.4), whose summary
    -- shows the name.
    renames integer not null default 0,
    -- When the name last changed; null: never.
    renamed_at timestamptz,
    -- Minutes before the appointment during which the provider and the required resources are not available, 0 to 720.
    -- Not shown to customers.
    buffer_before_minutes integer not null default 0,
    -- The same after the appointment, 0 to 720. Adjacent buffers add up and may extend past working hours.
    buffer_after_minutes integer not null default 0,
    -- Minutes from the beginning of each interval of working hours to the first offered start, 0 to 1,439.
    slot_offset_minutes integer not null default 0,
    -- Minimum number of elapsed minutes between booking and start.
    min_notice_minutes integer not null default 0,
    -- Maximum number of days between today, in the zone of the organization, and the appointment; null: 3,660.
    horizon_days integer,
    -- First date of appointments, in the zone of the organization; null: no bound.
    bookable_from date,
    -- Last date of appointments, in the zone of the organization; null: no bound.
    bookable_until date,
    -- Maximum number of appointments a day, in the zone of the organization, of all providers together; null:
    -- unlimited. A group session counts once.
    max_per_day integer,
    -- The same a week, from Monday to Sunday; null: unlimited.
    max_per_week integer,
    -- Whether a booking is pending, with its time taken, until a member confirms it.
    requires_approval boolean not null default false,
    -- Number of seats in one start of one provider: 1 for an appointment, more for a group session.
    capacity integer not null default 1,
    -- Price in the minor unit of the currency (cents); null: no price is shown.
    price_amount integer,
    -- ISO 4217 code of the currency of the price.
    price_currency text,
    -- Elapsed minutes before the start until which customers may cancel or reschedule by themselves.
    cancellation_notice_minutes integer not null default 0,
    -- Whether a contact may have it at the same time as another appointment. If not, the contact's time is claimed like
    -- that of a provider.
    contact_may_overlap boolean not null default false,
    -- Whether customers and guests see it and may book it.
    bookable_online boolean not null default true,
    -- What guests have to give beside their name: email, phone. Empty: nothing.
    guest_requires text[] not null default '{}',
    -- none; or email: a booking of a guest is held until the guest opens a link sent by e-mail.
    guest_verification text not null default 'none',
    -- Id in another system, at most 200 characters; null: none.
    external_id text,
    -- What other programs note about it: an object of at most 20 strings of at most 500 characters; null: nothing.
    metadata jsonb,
    -- How many minutes before an appointment its contact is reminded of it, at most five times, each 5 to 43,200;
    -- empty: never; null: as the settings of the organization say.
    reminder_minutes integer[],
    constraint services_pkey primary key (tenant_id, id),
    constraint services_tenant_fkey foreign key (tenant_id) references tenancy.organizations(id),
    constraint services_bookable_dates check (bookable_from <= bookable_until),
    constraint services_buffers check (
        buffer_before_minutes >= 0
        and buffer_before_minutes <= 720
        and buffer_after_minutes >= 0
        and buffer_after_minutes <= 720
    ),
    constraint services_cancellation_notice_bounds check (
        cancellation_notice_minutes >= 0 and cancellation_notice_minutes <= 525600
    ),
    constraint services_capacity_bounds check (capacity >= 1 and capacity <= 1000),
    constraint services_description_length check (length(description) >= 1 and length(description) <= 2000),
    constraint services_duration_bounds check (duration_minutes >= 1 and duration_minutes <= 1440),
    constraint services_external_id_length check (length(external_id) >= 1 and length(external_id) <= 200),
    constraint services_guest_requires check (
        guest_requires <@ array['email', 'phone'] and cardinality(guest_requires) <= 2
    ),
    constraint services_guest_verification check (guest_verification = any (array['none', 'email'])),
    constraint services_horizon_bounds check (horizon_days >= 0 and horizon_days <= 3660),
    constraint services_length check ((duration_minutes + buffer_before_minutes + buffer_after_minutes) <= 1440),
    constraint services_limits check (
        max_per_day >= 1 and max_per_day <= 10000 and max_per_week >= 1 and max_per_week <= 10000
    ),
    constraint services_metadata check (
        jsonb_typeof(metadata) = 'object'
        and jsonb_array_length(jsonb_path_query_array(metadata, '$.keyvalue()'::jsonpath)) <= 20
        and not jsonb_path_exists(metadata, '$.keyvalue()?(!(@."key" like_regex "^[A-Za-z0-9_.-]{1,40}$"))'::jsonpath)
        and not jsonb_path_exists(
            metadata, 'strict $.*?(@.type() != "string" || !(@ like_regex "^.{0,250}.{0,250}$" flag "s"))'::jsonpath
        )
    ),
    constraint services_min_notice_bounds check (min_notice_minutes >= 0 and min_notice_minutes <= 525600),
    constraint services_name_length check (length(name) >= 1 and length(name) <= 200),
    constraint services_price check (price_amount >= 0 and (price_amount is null) = (price_currency is null)),
    constraint services_price_currency check (price_currency ~ '^[A-Z]{3}$'),
    constraint services_reminder_minutes check (
        cardinality(reminder_minutes) <= 5
        and array_position(reminder_minutes, null::integer) is null
        and (5 <= all (reminder_minutes))
        and (43200 >= all (reminder_minutes))
    ),
    constraint services_slot_offset_bounds check (slot_offset_minutes >= 0 and slot_offset_minutes <= 1439),
    constraint services_slot_step_bounds check (slot_step_minutes >= 1 and slot_step_minutes <= 1440)
);

create unique index services_external_id_key on scheduling.services using btree (tenant_id, external_id)
where external_id is not null;
create index services_updated_idx on scheduling.services using btree (tenant_id, updated_at);

alter table scheduling.services enable row level security, force row level security;

create policy tenant_floor on scheduling.services as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy gate_select on scheduling.services as permissive for select to appointd_gate
    using (tenant_id = (select app.tenant()));
create policy guest_or_customer_select on scheduling.services as permissive for select to appointd_api
    using (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{guest,customer}'))
        and active
        and bookable_online
    );
create policy manager_delete on scheduling.services as permissive for delete to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{manager,admin,owner}')));
create policy manager_insert on scheduling.services as permissive for insert to appointd_api
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{manager,admin,owner}')));
create policy manager_update on scheduling.services as permissive for update to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{manager,admin,owner}')))
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{manager,admin,owner}')));
create policy owner_all on scheduling.services as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy scheduler_select on scheduling.services as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{scheduler}')));
create policy viewer_select on scheduling.services as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{viewer,staff,manager,admin,owner}')));
create policy worker_select on scheduling.services as permissive for select to appointd_worker
    using (tenant_id = (select app.tenant()));

grant select, delete on scheduling.services to appointd_api;
grant insert (
    id, name, description, duration_minutes, slot_step_minutes, active, buffer_before_minutes, buffer_after_minutes,
    slot_offset_minutes, min_notice_minutes, horizon_days, bookable_from, bookable_until, max_per_day, max_per_week,
    requires_approval, capacity, price_amount, price_currency, cancellation_notice_minutes, contact_may_overlap,
    bookable_online, guest_requires, guest_verification, external_id, metadata, reminder_minutes
) on scheduling.services to appointd_api;
grant update (
    name, description, duration_minutes, slot_step_minutes, active, updated_at, renames, renamed_at,
    buffer_before_minutes, buffer_after_minutes, slot_offset_minutes, min_notice_minutes, horizon_days, bookable_from,
    bookable_until, max_per_day, max_per_week, requires_approval, capacity, price_amount, price_currency,
    cancellation_notice_minutes, contact_may_overlap, bookable_online, guest_requires, guest_verification, external_id,
    metadata, reminder_minutes
) on scheduling.services to appointd_api;
grant select (
    tenant_id, id, name, renames, renamed_at, max_per_day, max_per_week, requires_approval, cancellation_notice_minutes
) on scheduling.services to appointd_gate;
grant select (tenant_id, id, name, reminder_minutes) on scheduling.services to appointd_worker;

create trigger keep_updated_at before update of tenant_id, id, name, description, duration_minutes, slot_step_minutes,
active, created_at, renames, renamed_at, buffer_before_minutes, buffer_after_minutes, slot_offset_minutes,
min_notice_minutes, horizon_days, bookable_from, bookable_until, max_per_day, max_per_week, requires_approval, capacity,
price_amount, price_currency, cancellation_notice_minutes, contact_may_overlap, bookable_online, guest_requires,
guest_verification, external_id, metadata, reminder_minutes on scheduling.services
for each row execute function app.keep_updated_at('{}');
create trigger note_freed_update after update on scheduling.services
for each row when (new.active) execute function scheduling.note_freed();
create trigger record_change after insert or delete or update on scheduling.services
for each row execute function operations.record_change();
create trigger record_deletion after delete on scheduling.services
for each row execute function operations.record_deletion('service');
create trigger record_event after insert or delete or update on scheduling.services
for each row execute function messaging.record_event('service', 'viewer', '{}');


-- The claims on providers who have an account, listed under that account.
create table scheduling.shared_claims (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- The claim.
    claim_id uuid not null,
    -- The provider that the person is in that organization.
    provider_id uuid not null,
    -- The person; null: no longer that provider.
    account_id uuid,
    -- First instant taken.
    starts_at timestamptz not null,
    -- First instant after it.
    ends_at timestamptz not null,
    -- starts_at to ends_at in whole quarters of an hour, half-open: all that another organization can find out.
    during tstzrange not null generated always as (
        tstzrange(
            to_timestamp(
                (
                    floor(
                        extract(epoch from starts_at - '1970-01-01 00:00:00+00'::timestamptz) / 900::numeric
                    ) * 900::numeric
                )::double precision
            ),
            to_timestamp(
                (
                    ceil(
                        extract(epoch from ends_at - '1970-01-01 00:00:00+00'::timestamptz) / 900::numeric
                    ) * 900::numeric
                )::double precision
            ),
            '[)'
        )
    ) stored,
    constraint shared_claims_pkey primary key (tenant_id, claim_id),
    constraint shared_claims_claim_fkey foreign key (tenant_id, claim_id) references scheduling.claims(tenant_id, id) on
    delete cascade,
    constraint shared_claims_person_fkey foreign key (
        tenant_id, provider_id, account_id
    ) references scheduling.providers(tenant_id, id, account_id) on update cascade,
    constraint shared_claims_time check (
        isfinite(starts_at)
        and isfinite(ends_at)
        and starts_at < ends_at
        and (ends_at - starts_at) <= '24:00:00'::interval
    ),
    -- No person is booked by two organizations within one quarter of an hour. Across tenants on purpose: it is the only
    -- thing that they share.
    constraint shared_claims_no_overlap exclude using gist (account_id with =, during with &&, tenant_id with <>)
) with (autovacuum_vacuum_scale_factor=0.02, autovacuum_analyze_scale_factor=0.02);

create index shared_claims_person_idx on scheduling.shared_claims using btree (account_id, starts_at);
create index shared_claims_provider_idx on scheduling.shared_claims using btree (tenant_id, provider_id, account_id);

alter table scheduling.shared_claims enable row level security, force row level security;

create policy tenant_floor_delete on scheduling.shared_claims as restrictive for delete to public
    using (tenant_id = (select app.tenant()));
create policy tenant_floor_insert on scheduling.shared_claims as restrictive for insert to public
    with check (tenant_id = (select app.tenant()));
create policy tenant_floor_select on scheduling.shared_claims as restrictive for select to public
    using (tenant_id = (select app.tenant()) or (select current_user) = 'appointd_gate'::name);
create policy tenant_floor_update on scheduling.shared_claims as restrictive for update to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy gate_delete on scheduling.shared_claims as permissive for delete to appointd_gate
    using (tenant_id = (select app.tenant()));
create policy gate_insert on scheduling.shared_claims as permissive for insert to appointd_gate
    with check (tenant_id = (select app.tenant()));
create policy gate_select on scheduling.shared_claims as permissive for select to appointd_gate
    using (true);
create policy guest_or_customer_insert on scheduling.shared_claims as permissive for insert to appointd_api
    with check (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{guest,customer}'))
        and (
            exists (
                select from scheduling.claims c where c.tenant_id = shared_claims.tenant_id
                and c.id = shared_claims.claim_id
                and ((select app.subject()) = any (array[c.appointment_id, c.hold_id]))
            )
        )
    );
create policy owner_all on scheduling.shared_claims as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy scheduler_insert on scheduling.shared_claims as permissive for insert to appointd_api
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{scheduler}')));
create policy staff_insert on scheduling.shared_claims as permissive for insert to appointd_api
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy staff_select on scheduling.shared_claims as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy staff_update on scheduling.shared_claims as permissive for update to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')))
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));

grant select on scheduling.shared_claims to appointd_api;
grant insert (claim_id, provider_id, account_id, starts_at, ends_at) on scheduling.shared_claims to appointd_api;
grant update (ends_at) on scheduling.shared_claims to appointd_api;
grant delete on scheduling.shared_claims to appointd_gate;
grant insert (claim_id, provider_id, account_id, starts_at, ends_at) on scheduling.shared_claims to appointd_gate;
grant select (
    tenant_id, claim_id, provider_id, account_id, starts_at, during
) on scheduling.shared_claims to appointd_gate;

create trigger note_freed_elsewhere_delete after delete on scheduling.shared_claims
for each row when (old.account_id is not null) execute function scheduling.note_freed_elsewhere();
create trigger note_freed_elsewhere_update after update on scheduling.shared_claims
for each row
when (
    old.account_id is not null and (new.account_id is distinct from old.account_id or new.ends_at < old.ends_at)
) execute function scheduling.note_freed_elsewhere();


-- Time off of a provider, taken from working hours. No reason is stored. Existing appointments are kept.
create table scheduling.time_off (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- UUIDv7, made by the server.
    id uuid not null,
    -- The provider.
    provider_id uuid not null,
    -- First instant.
    starts_at timestamptz not null,
    -- First instant after it, at most 366 days later: queries may look back that far and no further.
    ends_at timestamptz not null,
    -- When it was entered.
    created_at timestamptz not null default now(),
    -- When it was last changed.
    updated_at timestamptz not null default now(),
    constraint time_off_pkey primary key (tenant_id, id),
    constraint time_off_provider_fkey foreign key (
        tenant_id, provider_id
    ) references scheduling.providers(tenant_id, id) on delete cascade,
    constraint time_off_time check (
        isfinite(starts_at)
        and isfinite(ends_at)
        and starts_at < ends_at
        and (ends_at - starts_at) <= '366 days'::interval
    )
);

create index time_off_time_idx on scheduling.time_off using btree (tenant_id, provider_id, ends_at);

alter table scheduling.time_off enable row level security, force row level security;

create policy tenant_floor on scheduling.time_off as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy guest_or_customer_select on scheduling.time_off as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{guest,customer}')));
create policy owner_all on scheduling.time_off as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy scheduler_select on scheduling.time_off as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{scheduler}')));
create policy staff_delete on scheduling.time_off as permissive for delete to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy staff_insert on scheduling.time_off as permissive for insert to appointd_api
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy staff_update on scheduling.time_off as permissive for update to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')))
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy viewer_select on scheduling.time_off as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{viewer,staff,manager,admin,owner}')));

grant select, delete on scheduling.time_off to appointd_api;
grant insert (id, provider_id, starts_at, ends_at) on scheduling.time_off to appointd_api;
grant update (starts_at, ends_at, updated_at) on scheduling.time_off to appointd_api;

create trigger keep_few after insert on scheduling.time_off
referencing new table as added for each statement execute function scheduling.keep_time_off_few();
create trigger keep_few_update after update on scheduling.time_off
referencing new table as added for each statement execute function scheduling.keep_time_off_few();
create trigger keep_updated_at before update of tenant_id, id, provider_id, starts_at, ends_at,
created_at on scheduling.time_off
for each row execute function app.keep_updated_at('{}');
create trigger note_freed_delete after delete on scheduling.time_off
for each row execute function scheduling.note_freed();
create trigger note_freed_update after update on scheduling.time_off
for each row execute function scheduling.note_freed();
create trigger record_change after insert or delete or update on scheduling.time_off
for each row execute function operations.record_change();
create trigger record_deletion after delete on scheduling.time_off
for each row execute function operations.record_deletion('time_off');
create trigger record_event after insert or delete or update on scheduling.time_off
for each row execute function messaging.record_event('time_off', 'viewer', '{}');


-- Contacts that wait for time of a service to be freed, first come, first served.
create table scheduling.waitlist_entries (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- UUIDv7, made by the server.
    id uuid not null,
    -- The service.
    service_id uuid not null,
    -- The wanted provider; null: any.
    provider_id uuid,
    -- The contact that waits.
    contact_id uuid not null,
    -- Earliest acceptable start.
    from_instant timestamptz not null,
    -- First instant that is too late for a start.
    to_instant timestamptz not null,
    -- waiting, offered (a hold stands for it), booked; or closed: declined, expired, withdrawn.
    status text not null default 'waiting',
    -- For a booked entry: the appointment.
    appointment_id uuid,
    -- When the entry was made, by the clock of the database: the order of the queue, then id.
    created_at timestamptz not null default now(),
    -- When the row last changed.
    updated_at timestamptz not null default now(),
    -- For an entry of a guest: what appointments of their e-mail address are marked with
    -- (scheduling.appointments.guest_key).
    guest_key uuid,
    constraint waitlist_entries_pkey primary key (tenant_id, id),
    constraint waitlist_entries_appointment_fkey foreign key (
        tenant_id, appointment_id
    ) references scheduling.appointments(tenant_id, id),
    constraint waitlist_entries_contact_fkey foreign key (
        tenant_id, contact_id
    ) references crm.contacts(tenant_id, id) on delete cascade,
    constraint waitlist_entries_provider_fkey foreign key (
        tenant_id, provider_id
    ) references scheduling.providers(tenant_id, id) on delete cascade,
    constraint waitlist_entries_service_fkey foreign key (
        tenant_id, service_id
    ) references scheduling.services(tenant_id, id) on delete cascade,
    constraint waitlist_entries_appointment check ((status = 'booked') = (appointment_id is not null)),
    constraint waitlist_entries_period check (
        isfinite(from_instant) and isfinite(to_instant) and from_instant < to_instant
    ),
    constraint waitlist_entries_status check (
        status = any (array['waiting', 'offered', 'booked', 'declined', 'expired', 'withdrawn'])
    ),
    -- A contact waits once for one service, one provider and one time.
    constraint waitlist_entries_no_overlap exclude using gist (
        tenant_id with =, contact_id with =, service_id with =,
        coalesce(provider_id, '00000000-0000-0000-0000-000000000000'::uuid) with =,
        tstzrange(from_instant, to_instant, '[)') with &&
    )
    where (status = any (array['waiting', 'offered']))
) with (autovacuum_vacuum_scale_factor=0.02, autovacuum_analyze_scale_factor=0.02);

create index waitlist_entries_appointment_idx on scheduling.waitlist_entries using btree (tenant_id, appointment_id);
create index waitlist_entries_contact_idx on scheduling.waitlist_entries using btree (tenant_id, contact_id);
create index waitlist_entries_created_idx on scheduling.waitlist_entries using btree (tenant_id, created_at, id);
create index waitlist_entries_provider_idx on scheduling.waitlist_entries using btree (tenant_id, provider_id);
create index waitlist_entries_queue_idx on scheduling.waitlist_entries using btree (tenant_id, created_at, id)
where status = 'waiting';
create index waitlist_entries_service_idx on scheduling.waitlist_entries using btree (tenant_id, service_id);
create index waitlist_entries_updated_idx on scheduling.waitlist_entries using btree (tenant_id, updated_at);

alter table scheduling.waitlist_entries enable row level security, force row level security;

create policy tenant_floor on scheduling.waitlist_entries as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy customer_insert on scheduling.waitlist_entries as permissive for insert to appointd_api
    with check (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{customer}'))
        and id = (select app.subject())
        and (contact_id = any ((select crm.own_contacts() as own_contacts)::uuid[]))
    );
create policy customer_select on scheduling.waitlist_entries as permissive for select to appointd_api
    using (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{customer}'))
        and (contact_id = any ((select crm.own_contacts() as own_contacts)::uuid[]))
    );
create policy customer_update on scheduling.waitlist_entries as permissive for update to appointd_api
    using (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{customer}'))
        and id = (select app.subject())
        and (contact_id = any ((select crm.own_contacts() as own_contacts)::uuid[]))
    )
    with check (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{customer}'))
        and id = (select app.subject())
        and (contact_id = any ((select crm.own_contacts() as own_contacts)::uuid[]))
    );
create policy gate_select on scheduling.waitlist_entries as permissive for select to appointd_gate
    using (tenant_id = (select app.tenant()));
create policy guest_insert on scheduling.waitlist_entries as permissive for insert to appointd_api
    with check (
        tenant_id = (select app.tenant()) and (select app.role() = any ('{guest}')) and id = (select app.subject())
    );
create policy guest_select on scheduling.waitlist_entries as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{guest}')) and id = (select app.subject()));
create policy guest_update on scheduling.waitlist_entries as permissive for update to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{guest}')) and id = (select app.subject()))
    with check (
        tenant_id = (select app.tenant()) and (select app.role() = any ('{guest}')) and id = (select app.subject())
    );
create policy owner_all on scheduling.waitlist_entries as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy scheduler_select on scheduling.waitlist_entries as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{scheduler}')));
create policy scheduler_update on scheduling.waitlist_entries as permissive for update to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{scheduler}')))
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{scheduler}')));
create policy staff_insert on scheduling.waitlist_entries as permissive for insert to appointd_api
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy staff_update on scheduling.waitlist_entries as permissive for update to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')))
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy viewer_select on scheduling.waitlist_entries as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{viewer,staff,manager,admin,owner}')));

grant select on scheduling.waitlist_entries to appointd_api;
grant insert (
    id, service_id, provider_id, contact_id, from_instant, to_instant, guest_key
) on scheduling.waitlist_entries to appointd_api;
grant update (status, appointment_id, updated_at) on scheduling.waitlist_entries to appointd_api;
grant select on scheduling.waitlist_entries to appointd_gate;

create trigger keep_few after insert on scheduling.waitlist_entries
for each row execute function scheduling.keep_waiting_few();
create trigger record_change after insert or delete or update on scheduling.waitlist_entries
for each row execute function operations.record_change();
create trigger record_deletion after delete on scheduling.waitlist_entries
for each row execute function operations.record_deletion('waitlist_entry');
create trigger record_event after insert or update on scheduling.waitlist_entries
for each row execute function scheduling.record_waitlist_event();


-- Links the signed-in account to a provider, as requested; false if none is open. Fails with 23P01 on
-- shared_claims_no_overlap if the person is booked elsewhere at a time of the provider, and with 23505 on
-- providers_account_key if the person is another provider there.
create function scheduling.accept_provider_link(organization_id uuid, provider uuid)
returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    person constant uuid := app.account();
    accepted boolean := false;
begin
    perform app.stay_outside();
    if person is null then
        return false;
    end if;
    perform app.set_tenant(organization_id);
    -- Before any row is changed, and only if the person was asked: waits for transactions that book the provider, and
    -- has later ones wait.
    perform pg_advisory_xact_lock(app.lock_key(r.tenant_id, r.provider_id::text))
    from scheduling.provider_link_requests as r
    where r.tenant_id = organization_id and r.provider_id = provider and r.account_id = person;
    delete from scheduling.provider_link_requests as r
    where
        r.tenant_id = organization_id and r.provider_id = provider and r.account_id = person
        and exists (
            select
            from tenancy.members as m
            where
                m.tenant_id = organization_id
                and m.account_id = person
                and m.status = 'active'
                and m.role <> 'customer'
        )
        and exists (select from tenancy.organizations as o where o.id = organization_id and o.status = 'active');
    accepted := found;
    if accepted then
        -- Shared claims of the account that the provider had before.
        delete from scheduling.shared_claims as s where s.tenant_id = organization_id and s.provider_id = provider;
        update scheduling.providers as p
        set account_id = person, updated_at = now()
        where p.tenant_id = organization_id and p.id = provider;
        insert into scheduling.shared_claims (claim_id, provider_id, account_id, starts_at, ends_at)
        select c.id, provider, person, c.starts_at, c.ends_at
        from scheduling.claims as c
        where c.tenant_id = organization_id and c.resource_id = provider and c.ends_at > now()
        order by c.starts_at, c.id;
    end if;
    perform app.set_tenant(null);
    return accepted;
end
$$;

alter function scheduling.accept_provider_link(uuid,uuid) owner to appointd_gate;
grant execute on function scheduling.accept_provider_link(uuid,uuid) to appointd_api;


-- What a message about an appointment of the entered organization says, for the worker; and the name and verified
-- address of an account, if it is that of an active member who works there. Without an account, the proof for the link
-- of the customer. Names functions and tables of later files.
create function scheduling.appointment_notice(appointment uuid, account uuid)
returns table(
    id uuid, starts_at timestamptz, ends_at timestamptz, status text, revision integer, entry_sequence integer,
    created_at timestamptz, entry_updated_at timestamptz, service_name text, provider_name text, contact_name text,
    segments jsonb, requires_approval boolean, cancellation_notice_minutes integer, cancellation_reason text,
    occurrences smallint, time_zone text, contact_email text, is_provider boolean, member_name text, member_email text,
    proof bytea, contact_id uuid, service_id uuid, wants_reminders boolean, reminders_proof bytea, wants_thanks boolean,
    thanks_proof bytea
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    tenant constant uuid := app.tenant();
begin
    if app.role() is distinct from 'worker' then
        raise exception 'the worker has not entered' using errcode = 'object_not_in_prerequisite_state';
    end if;
    return query
    select
        e.id, e.starts_at, e.ends_at, e.status, a.sequence, e.sequence, e.created_at, e.updated_at, e.service_name,
        e.provider_name, e.contact_name, e.segments, e.requires_approval, e.cancellation_notice_minutes,
        a.cancellation_reason, s.occurrences, o.time_zone, c.email,
        coalesce(p.account_id = appointment_notice.account, false), m.full_name, m.email,
        case when appointment_notice.account is null then app.proof('guest', tenant, a.id) end, a.contact_id,
        a.service_id, coalesce(w.reminders, true), crm.unsubscribe_proof(tenant, a.contact_id, 'reminders'),
        coalesce(w.thanks, true), crm.unsubscribe_proof(tenant, a.contact_id, 'thanks')
    from scheduling.appointments as a
    cross join lateral scheduling.entries(tenant, array[a.id]) as e
    join tenancy.organizations as o on o.id = a.tenant_id
    join crm.contacts as c on c.tenant_id = a.tenant_id and c.id = a.contact_id
    join scheduling.providers as p on p.tenant_id = a.tenant_id and p.id = a.provider_id
    left join scheduling.series as s on s.tenant_id = a.tenant_id and s.id = a.series_id
    left join crm.message_preferences as w on w.tenant_id = a.tenant_id and w.contact_id = a.contact_id
    left join lateral (
        select i.full_name, i.email
        from tenancy.members as w
        join identity.accounts as i on i.id = w.account_id
        where
            w.tenant_id = a.tenant_id and w.account_id = appointment_notice.account
            and w.role <> 'customer' and w.status = 'active' and i.email_verified_at is not null
    ) as m on true
    where a.tenant_id = tenant and a.id = appointment;
end
$$;

alter function scheduling.appointment_notice(uuid,uuid) owner to appointd_gate;
grant execute on function scheduling.appointment_notice(uuid,uuid) to appointd_worker;


-- The array as the binary protocol sends it. array_send is only declared stable, because it is for any type.
create function scheduling.binary_form(minutes smallint[])
returns bytea
language sql immutable parallel safe
return array_send(minutes);

grant execute on function scheduling.binary_form(smallint[]) to appointd_api;


-- Names, notice and SEQUENCE of an appointment: for guests and customers of their own, for members of any.
create function scheduling.booked_names(appointment uuid)
returns table(
    service_name text, provider_name text, segments jsonb, requires_approval boolean,
    cancellation_notice_minutes integer, sequence integer, updated_at timestamptz
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    tenant constant uuid := app.tenant();
begin
    return query
    select
        e.service_name, e.provider_name, e.segments, e.requires_approval, e.cancellation_notice_minutes, e.sequence,
        e.updated_at
    from scheduling.appointments as a
    cross join lateral scheduling.entries(tenant, array[a.id]) as e
    where
        a.tenant_id = tenant and a.id = appointment
        and case app.role()
            when 'guest' then a.id = app.subject()
            when 'customer' then exists (
                select
                from crm.contacts as c
                where
                    c.tenant_id = a.tenant_id and c.id = a.contact_id
                    and c.account_id = app.account()
            )
            else app.role() in ('viewer', 'staff', 'manager', 'admin', 'owner')
        end;
end
$$;

alter function scheduling.booked_names(uuid) owner to appointd_gate;
grant execute on function scheduling.booked_names(uuid) to appointd_api;


-- When a provider of the entered organization is booked by other organizations, around a period, in whole quarters of
-- an hour. Does not tell by which, nor for what.
create function scheduling.busy_elsewhere(
    provider uuid, from_instant timestamptz, to_instant timestamptz, out starts timestamptz[], out ends timestamptz[]
)
returns record
language plpgsql stable strict security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    -- The account of a provider of the entered organization; otherwise null.
    person constant uuid := (
        select p.account_id
        from scheduling.providers as p
        where
            p.tenant_id = (select app.tenant())
            and p.id = provider
            and app.role() is not null
    );
begin
    -- Adjacent quarters are merged: the number of appointments is not told.
    select
        coalesce(array_agg(lower(b.busy) order by b.busy), '{}'),
        coalesce(array_agg(upper(b.busy) order by b.busy), '{}')
    into starts, ends
    from (
        select unnest(range_agg(s.during)) as busy
        from scheduling.shared_claims as s
        where
            s.account_id = person
            and s.tenant_id <> (select app.tenant())
            -- A claim lasts 24 hours at most, and a quarter of an hour is not a day.
            and s.starts_at > from_instant - interval '25 hours'
            and s.starts_at < to_instant + interval '1 hour'
            and lower(s.during) < to_instant
            and upper(s.during) > from_instant
    ) as b;
end
$$;

alter function scheduling.busy_elsewhere(uuid,timestamptz,timestamptz) owner to appointd_gate;
grant execute on function scheduling.busy_elsewhere(uuid,timestamptz,timestamptz) to appointd_api;


-- The appointments of a calendar feed, 60 days back and 400 ahead, after a row with the name of the feed and, as
-- updated_at, the time of its last change. No row: the feed does not exist.
create function scheduling.calendar_feed(organization_id uuid, feed_id uuid, token_hash bytea)
returns table(
    feed_name text, id uuid, starts_at timestamptz, ends_at timestamptz, status text, sequence integer,
    created_at timestamptz, updated_at timestamptz, service_name text, provider_name text, contact_name text,
    segments jsonb, time_zone text
)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    feed record;
    -- Start of the day, so that the period moves once a day and not with every request.
    today constant timestamptz := date_trunc('day', now() at time zone 'UTC') at time zone 'UTC';
begin
    perform app.stay_outside();
    if not tenancy.host_admits(organization_id) then
        return;
    end if;
    perform app.set_tenant(organization_id);
    select f.name, f.provider_id, f.created_at, o.time_zone
    into feed
    from scheduling.calendar_feeds as f
    join tenancy.organizations as o on o.id = f.tenant_id and o.status = 'active'
    where
        f.tenant_id = organization_id
        and f.id = feed_id
        and f.token_hash = calendar_feed.token_hash
        -- A feed whose maker may no longer hand it out shows nothing.
        and tenancy.standing(f.created_by) = any (app.roles_from('staff'));
    if feed.name is null then
        return;
    end if;
    -- At least one row, so that an empty calendar differs from none. It has an instant after which the feed did not
    -- change (except names, for which each entry has its own): an appointment that left the feed has no row to tell
    -- when.
    return query
    select
        feed.name, null::uuid, null::timestamptz, null::timestamptz, null::text, null::integer, feed.created_at,
        greatest(
            feed.created_at,
            today,
            (select max(a.updated_at) from scheduling.appointments as a where a.tenant_id = organization_id)
        ),
        null::text, null::text, null::text, null::jsonb, feed.time_zone;
    return query
    select
        feed.name, e.id, e.starts_at, e.ends_at, e.status, e.sequence, e.created_at, e.updated_at, e.service_name,
        e.provider_name, e.contact_name, e.segments, feed.time_zone
    from scheduling.entries(
        organization_id,
        array(
            select a.id
            from scheduling.appointments as a
            where
                a.tenant_id = organization_id
                and (
                    feed.provider_id is null
                    or a.provider_id = feed.provider_id
                    or (
                        a.visit and exists (
                            select
                            from scheduling.appointment_segments as g
                            where
                                g.tenant_id = a.tenant_id
                                and g.appointment_id = a.id
                                and g.provider_id = feed.provider_id
                        )
                    )
                )
                and a.starts_at between today - interval '60 days' and today + interval '400 days'
            order by a.starts_at, a.id
            limit 10000
        )
    ) as e
    order by e.starts_at, e.id;
end
$$;

alter function scheduling.calendar_feed(uuid,uuid,bytea) owner to appointd_gate;
grant execute on function scheduling.calendar_feed(uuid,uuid,bytea) to appointd_door;


-- The contact with the e-mail address of the guest in the context, if the organization matches guests and exactly one
-- contact has that address. Call it once the guest has opened the link that was sent there.
create function scheduling.contact_of_guest()
returns uuid
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    tenant constant uuid := app.tenant();
    found_ids uuid[];
begin
    if app.role() is distinct from 'guest' then
        raise exception 'no guest has entered' using errcode = 'object_not_in_prerequisite_state';
    end if;
    select array_agg(c.id)
    into found_ids
    from scheduling.guest_bookings as g
    join tenancy.settings as s on s.tenant_id = g.tenant_id and s.guests_match_by_verified_email
    join crm.contacts as c on c.tenant_id = g.tenant_id and c.email = g.email
    where g.tenant_id = tenant and g.hold_id = app.subject();
    -- Families share an address: a guest must not be taken for another member of the family.
    return case when cardinality(found_ids) = 1 then found_ids[1] end;
end
$$;

alter function scheduling.contact_of_guest() owner to appointd_gate;
grant execute on function scheduling.contact_of_guest() to appointd_api;


-- Counts a booking that a guest of the organization in the context requests. 0: it is within the limits; otherwise the
-- seconds until the next may be requested.
create function scheduling.count_guest_request(address_hash bytea, email_hash bytea)
returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    tenant constant uuid := app.tenant();
    allowed record;
    counted record;
    asked record;
    seconds integer := 0;
begin
    if app.role() is distinct from 'guest' then
        raise exception 'no guest has entered' using errcode = 'object_not_in_prerequisite_state';
    end if;
    select s.guest_bookings_per_address, s.guest_bookings_per_email
    into allowed
    from tenancy.settings as s
    where s.tenant_id = tenant;
    for asked in
        select
            'address' as kind, address_hash as subject, interval '1 hour' as period,
            allowed.guest_bookings_per_address as most
        where address_hash is not null
        union all
        select 'email', email_hash, interval '1 day', allowed.guest_bookings_per_email
        where email_hash is not null
        order by 1
    loop
        insert into scheduling.guest_requests as r (kind, subject)
        values (asked.kind, asked.subject)
        on conflict (tenant_id, kind, subject) do update
        set
            requests = case when r.since <= now() - asked.period then 1 else r.requests + 1 end,
            since = case when r.since <= now() - asked.period then now() else r.since end
        returning r.requests, r.since into counted;
        if counted.requests > asked.most then
            seconds := greatest(seconds, ceil(extract(epoch from counted.since + asked.period - now()))::integer, 1);
        end if;
    end loop;
    -- A few of those that count no more; others may be removing them.
    delete from scheduling.guest_requests as r
    where
        r.tenant_id = tenant
        and (r.kind, r.subject) in (
            select o.kind, o.subject
            from scheduling.guest_requests as o
            where o.tenant_id = tenant and o.since < now() - interval '1 day'
            limit 100
            for update skip locked
        );
    return seconds;
end
$$;

alter function scheduling.count_guest_request(bytea,bytea) owner to appointd_gate;
grant execute on function scheduling.count_guest_request(bytea,bytea) to appointd_api;


-- Ends the link of a provider of the entered organization to an account, on behalf of an admin; false if it has none.
-- Appointments stay. The caller has the lock of the provider (providers_lock.sql).
create function scheduling.cut_provider_link(provider uuid)
returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if (app.role() = any ('{admin,owner}')) is not true then
        raise exception 'no admin has entered' using errcode = 'object_not_in_prerequisite_state';
    end if;
    update scheduling.providers as p
    set account_id = null, updated_at = now()
    where
        p.tenant_id = (select app.tenant())
        and p.id = provider
        and p.account_id is not null;
    return found;
end
$$;

alter function scheduling.cut_provider_link(uuid) owner to appointd_gate;
grant execute on function scheduling.cut_provider_link(uuid) to appointd_api;


-- Ends the link of the signed-in account to a provider, or declines the request; false if neither exists. Appointments
-- stay.
create function scheduling.end_provider_link(organization_id uuid, provider uuid)
returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    person constant uuid := app.account();
    declined boolean;
    ended boolean;
begin
    perform app.stay_outside();
    if person is null then
        return false;
    end if;
    perform app.set_tenant(organization_id);
    perform pg_advisory_xact_lock(app.lock_key(p.tenant_id, p.id::text))
    from scheduling.providers as p
    where p.tenant_id = organization_id and p.id = provider and p.account_id = person;
    delete from scheduling.provider_link_requests as r
    where r.tenant_id = organization_id and r.provider_id = provider and r.account_id = person;
    declined := found;
    -- The foreign key of the shared claims sets their account to null, and null overlaps nothing.
    update scheduling.providers as p
    set account_id = null, updated_at = now()
    where p.tenant_id = organization_id and p.id = provider and p.account_id = person;
    ended := found;
    perform app.set_tenant(null);
    return declined or ended;
end
$$;

alter function scheduling.end_provider_link(uuid,uuid) owner to appointd_gate;
grant execute on function scheduling.end_provider_link(uuid,uuid) to appointd_api;


-- What calendars, mails and pages of customers show of appointments: names, the services of a visit, and the SEQUENCE
-- (RFC 5545), which rises when the appointment, a service or the contact is renamed or changed. For functions of the
-- gate that know who asks.
create function scheduling.entries(tenant uuid, appointments uuid[])
returns table(
    id uuid, starts_at timestamptz, ends_at timestamptz, status text, sequence integer, created_at timestamptz,
    updated_at timestamptz, service_name text, provider_name text, contact_name text, segments jsonb,
    requires_approval boolean, cancellation_notice_minutes integer
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select
        a.id, a.starts_at, a.ends_at, a.status, a.sequence + c.renames + coalesce(g.renames, s.renames), a.created_at,
        greatest(a.updated_at, c.renamed_at, s.renamed_at, p.renamed_at, g.renamed_at),
        s.name, p.name, concat_ws(' ', c.first_name, c.last_name), g.segments,
        coalesce(g.requires_approval, s.requires_approval),
        -- Of a visit, the longest counts.
        coalesce(g.cancellation_notice_minutes, s.cancellation_notice_minutes)
    from scheduling.appointments as a
    join scheduling.services as s on s.tenant_id = a.tenant_id and s.id = a.service_id
    join scheduling.providers as p on p.tenant_id = a.tenant_id and p.id = a.provider_id
    join crm.contacts as c on c.tenant_id = a.tenant_id and c.id = a.contact_id
    left join lateral (
        select
            sum(o.renames)::integer as renames, max(greatest(o.renamed_at, r.renamed_at)) as renamed_at,
            bool_or(o.requires_approval) as requires_approval,
            max(o.cancellation_notice_minutes) as cancellation_notice_minutes,
            jsonb_agg(
                jsonb_build_object(
                    'service_id', i.service_id, 'service_name', o.name, 'provider_id', i.provider_id, 'provider_name',
                    r.name, 'starts_at', i.starts_at, 'ends_at', i.ends_at
                )
                order by i.position
            ) as segments
        from scheduling.appointment_segments as i
        join scheduling.services as o on o.tenant_id = i.tenant_id and o.id = i.service_id
        join scheduling.providers as r on r.tenant_id = i.tenant_id and r.id = i.provider_id
        where i.tenant_id = a.tenant_id and i.appointment_id = a.id
    ) as g on a.visit
    where a.tenant_id = tenant and a.id = any (appointments);
end
$$;

alter function scheduling.entries(uuid,uuid[]) owner to appointd_gate;


-- Deletes claims of appointments of an organization that ended more than 35 days ago, at most 5,000 a call; whether
-- there may be more. The worker calls it every night.
create function scheduling.forget_past_claims(organization uuid)
returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    -- Bounds the number of rows that a call locks.
    most constant integer := 5000;
    forgotten integer;
begin
    perform app.stay_outside();
    perform app.set_tenant(organization);
    with past as (
        select c.id
        from scheduling.claims as c
        where
            c.tenant_id = organization
            and c.hold_id is null
            -- A claim lasts 24 hours at most, so a condition on starts_at, which an index serves, is implied.
            and c.starts_at < now() - interval '35 days'
            and c.ends_at < now() - interval '35 days'
        limit most
    )
    delete from scheduling.claims as c
    using past as p
    where c.tenant_id = organization and c.id = p.id;
    get diagnostics forgotten = row_count;
    perform app.set_tenant(null);
    return forgotten = most;
end
$$;

alter function scheduling.forget_past_claims(uuid) owner to appointd_gate;
grant execute on function scheduling.forget_past_claims(uuid) to appointd_worker;


-- Whether a service or provider of the organization has a daily or weekly limit. With the policies of its caller.
create function scheduling.has_limits(tenant uuid)
returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return exists (
        select
        from scheduling.services as s
        where s.tenant_id = tenant and coalesce(s.max_per_day, s.max_per_week) is not null
    )
    or exists (
        select
        from scheduling.providers as p
        where p.tenant_id = tenant and coalesce(p.max_per_day, p.max_per_week) is not null
    );
end
$$;

alter function scheduling.has_limits(uuid) owner to appointd_gate;


-- The hours of a provider as arrays: its weekly rules, and its overrides and time-zone overrides between two dates. One
-- row.
create function scheduling.hours_of(organization uuid, provider uuid, first_date date, last_date date)
returns table(
    weekdays smallint[], from_minutes smallint[], to_minutes smallint[], valid_from date[], valid_until date[],
    dates date[], override_from bytea[], override_to bytea[], starts_on date[], ends_on date[], time_zones text[]
)
language sql stable
as $$
select
    w.weekdays, w.from_minutes, w.to_minutes, w.valid_from, w.valid_until, o.dates, o.override_from, o.override_to,
    t.starts_on, t.ends_on, t.time_zones
from (
    select
        coalesce(array_agg(r.weekday), '{}') as weekdays,
        coalesce(array_agg(r.from_minute), '{}') as from_minutes,
        coalesce(array_agg(r.to_minute), '{}') as to_minutes,
        coalesce(array_agg(r.valid_from), '{}') as valid_from,
        coalesce(array_agg(r.valid_until), '{}') as valid_until
    from (
        select s.weekday, s.from_minute, s.to_minute, s.valid_from, s.valid_until
        from scheduling.schedule_rules as s
        where s.tenant_id = organization and s.provider_id = provider
        order by s.weekday, s.from_minute
    ) as r
) as w
cross join (
    select
        coalesce(array_agg(d.date), '{}') as dates,
        coalesce(array_agg(d.from_bytes), '{}') as override_from,
        coalesce(array_agg(d.to_bytes), '{}') as override_to
    from (
        select v.date, v.from_bytes, v.to_bytes
        from scheduling.schedule_overrides as v
        where v.tenant_id = organization and v.provider_id = provider and v.date between first_date and last_date
        order by v.date
    ) as d
) as o
cross join (
    select
        coalesce(array_agg(z.starts_on), '{}') as starts_on,
        coalesce(array_agg(z.ends_on), '{}') as ends_on,
        coalesce(array_agg(z.time_zone), '{}') as time_zones
    from (
        select u.starts_on, u.ends_on, u.time_zone
        from scheduling.schedule_travels as u
        where
            u.tenant_id = organization and u.provider_id = provider
            and u.ends_on >= first_date and u.starts_on <= last_date
        order by u.starts_on
    ) as z
) as t
$$;

grant execute on function scheduling.hours_of(uuid,uuid,date,date) to appointd_api;


-- Whether the caller sees this appointment, or this hold and it has not expired. Guests and customers see their own.
create function scheduling.is_own(appointment uuid, hold uuid)
returns boolean
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
    )
    or exists (
        select
        from scheduling.holds as h
        where
            h.tenant_id = (select app.tenant())
            and h.id = hold
            -- Expired ones are shown to all.
            and h.expires_at > statement_timestamp()
    );
end
$$;

grant execute on function scheduling.is_own(uuid,uuid) to appointd_api;


-- Trigger, after closures were inserted or updated: fails on more than 366 that begin in one calendar year.
create function scheduling.keep_closures_few()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    owner record;
begin
    for owner in
        select distinct a.tenant_id, make_date(extract(year from a.starts_on)::integer, 1, 1) as year
        from added as a
        order by 1, 2
    loop
        perform pg_advisory_xact_lock(app.lock_key(owner.tenant_id, 'closures'));
        if (
            select count(*) > 366
            from scheduling.closures as c
            where
                c.tenant_id = owner.tenant_id
                and c.starts_on >= owner.year and c.starts_on < owner.year + interval '1 year'
                -- Implied by starts before ends; repeated for the index.
                and c.ends_on >= owner.year
        ) then
            raise exception 'too many closures of one year'
                using errcode = 'check_violation', constraint = 'closures_too_many';
        end if;
    end loop;
    return null;
end
$$;


-- Trigger, after a hold was inserted: fails on more than 500 unexpired holds of one organization, or more than 3 of one
-- customer. Offers to the waitlist do not count.
create function scheduling.keep_holds_few()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    customer constant uuid := case
        when app.role() = 'customer'
            then app.account()
    end;
    standing bigint;
begin
    if customer is not null then
        -- Serializes the holds of one customer. It is the last lock of its transaction, so it cannot deadlock.
        perform pg_advisory_xact_lock(app.lock_key(new.tenant_id, customer::text || 'holds'));
        select count(*) into standing
        from scheduling.holds as h
        where
            h.tenant_id = new.tenant_id and h.created_by = customer
            and h.expires_at > statement_timestamp() and h.waitlist_entry_id is null;
        if standing > 3 then
            raise exception 'too many holds'
                using errcode = 'check_violation', constraint = 'holds_too_many_of_customer';
        end if;
    end if;
    select count(*) into standing
    from scheduling.holds as h
    where h.tenant_id = new.tenant_id and h.expires_at > statement_timestamp() and h.waitlist_entry_id is null;
    -- Far below the bound no lock is needed: fewer than 100 transactions insert holds at the same time.
    if standing > 400 then
        perform pg_advisory_xact_lock(app.lock_key(new.tenant_id, 'holds'));
        select count(*) into standing
        from scheduling.holds as h
        where h.tenant_id = new.tenant_id and h.expires_at > statement_timestamp() and h.waitlist_entry_id is null;
        if standing > 500 then
            raise exception 'too many holds' using errcode = 'check_violation', constraint = 'holds_too_many';
        end if;
    end if;
    return null;
end
$$;

alter function scheduling.keep_holds_few() owner to appointd_gate;
grant execute on function scheduling.keep_holds_few() to appointd_owner;


-- Trigger, after rows of schedules were inserted: fails on more than 100 rules, 1,000 overrides or 100 travels of one
-- provider.
create function scheduling.keep_schedules_short()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    owner record;
begin
    for owner in select distinct a.tenant_id, a.provider_id from added as a order by 1, 2 loop
        perform pg_advisory_xact_lock(app.lock_key(owner.tenant_id, owner.provider_id::text || 'schedule'));
        if (case tg_table_name
            when 'schedule_rules' then (
                select count(*) > 100
                from scheduling.schedule_rules as r
                where r.tenant_id = owner.tenant_id and r.provider_id = owner.provider_id
            )
            when 'schedule_overrides' then (
                select count(*) > 1000
                from scheduling.schedule_overrides as o
                where o.tenant_id = owner.tenant_id and o.provider_id = owner.provider_id
            )
            when 'schedule_travels' then (
                select count(*) > 100
                from scheduling.schedule_travels as t
                where t.tenant_id = owner.tenant_id and t.provider_id = owner.provider_id
            )
        end) then
            raise exception 'too many rows of one schedule'
                using errcode = 'check_violation', constraint = tg_table_name || '_too_many';
        end if;
    end loop;
    return null;
end
$$;


-- Trigger, after time off was inserted or updated: fails on more than 366 entries of one provider that begin in one
-- calendar year (UTC).
create function scheduling.keep_time_off_few()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    owner record;
begin
    for owner in
        select distinct a.tenant_id, a.provider_id, date_trunc('year', a.starts_at, 'UTC') as year
        from added as a
        order by 1, 2, 3
    loop
        perform pg_advisory_xact_lock(app.lock_key(owner.tenant_id, owner.provider_id::text || 'time off'));
        if (
            select count(*) > 366
            from scheduling.time_off as t
            where
                t.tenant_id = owner.tenant_id and t.provider_id = owner.provider_id
                and t.starts_at >= owner.year and t.starts_at < owner.year + interval '1 year'
                -- Implied by starts before ends; repeated for the index.
                and t.ends_at > owner.year
        ) then
            raise exception 'too much time off of one year'
                using errcode = 'check_violation', constraint = 'time_off_too_many';
        end if;
    end loop;
    return null;
end
$$;


-- Trigger, after an entry of the waitlist came in: refuses more than 10 of one contact that wait or are offered time,
-- and waits for transactions that free time without having seen the entry.
create function scheduling.keep_waiting_few()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    -- One after the other.
    perform pg_advisory_xact_lock(app.lock_key(new.tenant_id, new.contact_id::text || 'waitlist'));
    if (
        select count(*) > 10
        from scheduling.waitlist_entries as w
        where w.tenant_id = new.tenant_id and w.contact_id = new.contact_id and w.status in ('waiting', 'offered')
    ) then
        raise exception 'too many entries' using errcode = 'check_violation', constraint = 'waitlist_entries_too_many';
    end if;
    -- Waits for transactions that free time and did not see this entry; those that begin to read the waitlist later
    -- wait for this one, and see it. The last lock of its transaction.
    perform pg_advisory_xact_lock(app.lock_key(new.tenant_id, 'waitlist'));
    return null;
end
$$;


-- Trigger, before a member is deleted: takes the lock of the provider that the member is, before any row is changed.
create function scheduling.lock_person()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform pg_advisory_xact_lock(app.lock_key(p.tenant_id, p.id::text))
    from scheduling.providers as p
    where p.tenant_id = old.tenant_id and p.account_id = old.account_id;
    return old;
end
$$;


-- Appointments of the signed-in account as a customer of all its organizations, ordered by start, between two starts
-- and ids. wanted: only those with these ids; null: any.
create function scheduling.my_appointments_everywhere(
    after_start timestamptz, after_id uuid, before_start timestamptz, before_id uuid, row_limit bigint,
    latest_first boolean, wanted uuid[]
)
returns table(
    organization_id uuid, organization_name text, id uuid, service_name text, provider_name text, starts_at timestamptz,
    ends_at timestamptz, status text, time_zone text
)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    person constant uuid := app.account();
    organization record;
    found_rows jsonb := '[]';
    of_one jsonb;
begin
    perform app.stay_outside();
    if person is null then
        return;
    end if;
    for organization in
        select o.id, o.name, o.time_zone
        from tenancy.members as m
        join tenancy.organizations as o on o.id = m.tenant_id
        where m.account_id = person and m.status = 'active' and o.status = 'active'
        order by o.id
    loop
        perform app.set_tenant(organization.id);
        select coalesce(jsonb_agg(to_jsonb(f)), '[]')
        into of_one
        from (
            select
                organization.id as organization_id, organization.name as organization_name, a.id,
                s.name as service_name, p.name as provider_name, a.starts_at, a.ends_at, a.status,
                organization.time_zone as time_zone
            from crm.contacts as c
            join scheduling.appointments as a on a.tenant_id = c.tenant_id and a.contact_id = c.id
            join scheduling.services as s on s.tenant_id = a.tenant_id and s.id = a.service_id
            join scheduling.providers as p on p.tenant_id = a.tenant_id and p.id = a.provider_id
            where
                c.tenant_id = organization.id
                and c.account_id = person
                and (a.starts_at, a.id) > (after_start, after_id)
                and (a.starts_at, a.id) < (before_start, before_id)
                and (a.id = any (wanted) or wanted is null)
            order by
                case when latest_first then a.starts_at end desc,
                case when latest_first then a.id end desc,
                case when not latest_first then a.starts_at end,
                case when not latest_first then a.id end
            limit row_limit
        ) as f;
        found_rows := found_rows || of_one;
    end loop;
    perform app.set_tenant(null);
    return query
    select
        r.organization_id, r.organization_name, r.id, r.service_name, r.provider_name, r.starts_at, r.ends_at,
        r.status, r.time_zone
    from jsonb_to_recordset(found_rows) as r (
        organization_id uuid, organization_name text, id uuid, service_name text, provider_name text,
        starts_at timestamptz, ends_at timestamptz, status text, time_zone text
    )
    order by
        case when latest_first then r.starts_at end desc,
        case when latest_first then r.id end desc,
        case when not latest_first then r.starts_at end,
        case when not latest_first then r.id end
    limit row_limit;
end
$$;

alter function scheduling.my_appointments_everywhere(
    timestamptz,uuid,timestamptz,uuid,bigint,boolean,uuid[]
) owner to appointd_gate;
grant execute on function scheduling.my_appointments_everywhere(
    timestamptz,uuid,timestamptz,uuid,bigint,boolean,uuid[]
) to appointd_api;


-- The providers, of any organization, that the signed-in account is (accepted) or was asked to be (requested).
create function scheduling.my_provider_links()
returns table(organization_id uuid, organization_name text, provider_id uuid, provider_name text, status text)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    person constant uuid := app.account();
    organization record;
begin
    perform app.stay_outside();
    if person is null then
        return;
    end if;
    -- Includes suspended memberships and organizations: a link takes the person's time until it is ended.
    for organization in
        select o.id, o.name
        from tenancy.members as m
        join tenancy.organizations as o on o.id = m.tenant_id
        where m.account_id = person
        order by o.id
    loop
        perform app.set_tenant(organization.id);
        return query
        select organization.id, organization.name, p.id, p.name, 'accepted'
        from scheduling.providers as p
        where p.tenant_id = organization.id and p.account_id = person
        union all
        select organization.id, organization.name, p.id, p.name, 'requested'
        from scheduling.provider_link_requests as r
        join scheduling.providers as p on p.tenant_id = r.tenant_id and p.id = r.provider_id
        where r.tenant_id = organization.id and r.account_id = person
        order by 3;
    end loop;
    perform app.set_tenant(null);
end
$$;

alter function scheduling.my_provider_links() owner to appointd_gate;
grant execute on function scheduling.my_provider_links() to appointd_api;


-- The contact, the service and the provider of an appointment with their names, as JSON. Null: not included.
create function scheduling.names_of(
    organization uuid, included text[], contact_id uuid, service_id uuid, provider_id uuid
)
returns table(contact jsonb, service jsonb, provider jsonb)
language sql stable
as $$
select
    case
        when 'contact' = any (included) then (
            select
                jsonb_strip_nulls(
                    jsonb_build_object(
                        'id', c.id, 'first_name', c.first_name, 'last_name', c.last_name, 'email', c.email, 'phone',
                        c.phone
                    )
                )
            from crm.contacts as c
            where c.tenant_id = organization and c.id = contact_id
        )
    end,
    case
        when 'service' = any (included) then (
            select jsonb_build_object('id', s.id, 'name', s.name)
            from scheduling.services as s
            where s.tenant_id = organization and s.id = service_id
        )
    end,
    case
        when 'provider' = any (included) then (
            select jsonb_build_object('id', p.id, 'name', p.name)
            from scheduling.providers as p
            where p.tenant_id = organization and p.id = provider_id
        )
    end
$$;

grant execute on function scheduling.names_of(uuid,text[],uuid,uuid,uuid) to appointd_api;


-- Trigger, after time was freed: notes it in scheduling.freed_time, if the organization in the context has a waitlist
-- entry that it may suit.
create function scheduling.note_freed()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    tenant constant uuid := app.tenant();
    resource uuid;
    service uuid;
    service_starts_at timestamptz;
    first timestamptz := clock_timestamp();
    past_last timestamptz := 'infinity';
    reach interval := interval '24 hours';
begin
    if session_user = 'appointd_owner' and current_setting('app.restoring', true) = 'on' then
        return null;
    end if;
    if tg_table_name = 'claims' then
        resource := old.resource_id;
        service := old.service_id;
        service_starts_at := old.service_starts_at;
        first := old.starts_at;
        past_last := old.ends_at;
        -- What counted towards a limit may have kept the whole week closed.
        if service is not null and scheduling.has_limits(tenant) then
            reach := interval '8 days';
        end if;
        if tg_op = 'UPDATE' then
            -- Shortened.
            first := new.ends_at;
        end if;
    elsif tg_table_name = 'time_off' then
        resource := old.provider_id;
        first := old.starts_at;
        past_last := old.ends_at;
    elsif tg_table_name = 'closures' then
        -- The zone of the days is not known here: one day more on each side, in UTC.
        first := old.starts_on::timestamp at time zone 'UTC' - interval '1 day';
        past_last := old.ends_on::timestamp at time zone 'UTC' + interval '2 days';
    elsif tg_table_name = 'schedules' then
        resource := new.provider_id;
    elsif tg_table_name = 'services' then
        service := new.id;
    elsif tg_table_name <> 'organizations' then
        -- A provider or a room that can be booked again. (Another time zone moves closures, days and weeks.)
        resource := new.id;
    end if;
    first := greatest(first, clock_timestamp());
    if first >= past_last then
        return null;
    end if;
    -- Entries that join meanwhile are committed before, or wait: see scheduling.keep_waiting_few.
    perform pg_advisory_xact_lock_shared(app.lock_key(tenant, 'waitlist'));
    if exists (
        select
        from scheduling.waitlist_entries as w
        where
            w.tenant_id = tenant
            and w.status = 'waiting'
            and w.from_instant < past_last + reach
            and w.to_instant > first - reach
    ) then
        insert into scheduling.freed_time (resource_id, service_id, service_starts_at, starts_at, ends_at)
        values (resource, service, service_starts_at, first, past_last);
    end if;
    return null;
end
$$;

alter function scheduling.note_freed() owner to appointd_gate;
grant execute on function scheduling.note_freed() to appointd_owner;


-- Trigger, after the time of a person was freed, or the person is no longer that provider: notes it in
-- scheduling.freed_time of the other organizations whose provider the person is, if an entry of theirs may suit.
create function scheduling.note_freed_elsewhere()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    entered constant uuid := app.tenant();
    actor constant uuid := app.account();
    others uuid[];
    first timestamptz := lower(old.during);
    past_last constant timestamptz := upper(old.during);
    organization uuid;
begin
    if session_user = 'appointd_owner' and current_setting('app.restoring', true) = 'on' then
        return null;
    end if;
    if tg_op = 'UPDATE' then
        if new.account_id is not distinct from old.account_id then
            -- Shortened.
            first := upper(new.during);
        end if;
    end if;
    first := greatest(first, clock_timestamp());
    if first >= past_last then
        return null;
    end if;
    -- The gate sees the memberships of the account in the context.
    perform app.set_account(old.account_id);
    select array_agg(m.tenant_id order by m.tenant_id)
    into others
    from tenancy.members as m
    where m.account_id = old.account_id and m.tenant_id <> old.tenant_id;
    perform app.set_account(actor);
    foreach organization in array coalesce(others, '{}') loop
        perform app.set_tenant(organization);
        insert into scheduling.freed_time (resource_id, starts_at, ends_at)
        select p.id, first, past_last
        from scheduling.providers as p
        where
            p.tenant_id = organization and p.account_id = old.account_id and p.active
            and exists (
                select
                from scheduling.waitlist_entries as w
                where
                    w.tenant_id = organization
                    and w.status = 'waiting'
                    and w.from_instant < past_last + interval '24 hours'
                    and w.to_instant > first - interval '24 hours'
            );
    end loop;
    perform app.set_tenant(entered);
    return null;
end
$$;

alter function scheduling.note_freed_elsewhere() owner to appointd_gate;
grant execute on function scheduling.note_freed_elsewhere() to appointd_owner;


-- Contents of the mail about an offer, and the proof for the guest's link, for the scheduler in the entered
-- organization.
create function scheduling.offer_notice(
    entry uuid, out email text, out service_name text, out provider_name text, out organization_name text,
    out time_zone text, out proof bytea
)
returns record
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if app.role() is distinct from 'scheduler' then
        raise exception 'the scheduler has not entered' using errcode = 'object_not_in_prerequisite_state';
    end if;
    select
        c.email, s.name, p.name, coalesce(b.display_name, o.name), o.time_zone, app.proof('guest', w.tenant_id, w.id)
    into email, service_name, provider_name, organization_name, time_zone, proof
    from scheduling.waitlist_entries as w
    join crm.contacts as c on c.tenant_id = w.tenant_id and c.id = w.contact_id
    join scheduling.services as s on s.tenant_id = w.tenant_id and s.id = w.service_id
    join scheduling.holds as h on h.tenant_id = w.tenant_id and h.waitlist_entry_id = w.id
    join scheduling.providers as p on p.tenant_id = h.tenant_id and p.id = h.provider_id
    join tenancy.organizations as o on o.id = w.tenant_id
    join tenancy.branding as b on b.tenant_id = w.tenant_id
    where
        w.tenant_id = (select app.tenant())
        and w.id = entry
        and w.status = 'offered';
end
$$;

alter function scheduling.offer_notice(uuid) owner to appointd_gate;
grant execute on function scheduling.offer_notice(uuid) to appointd_api;


-- Trigger, after an appointment was booked or changed: writes the event appointment.requested (to be confirmed),
-- created, confirmed, declined, rescheduled, updated, cancelled, checked_in, started, completed, no_show or undone.
create function scheduling.record_appointment_event()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    unsaid constant text[] := array['tenant_id', 'guest_key'];
    -- In the order of its life.
    life constant text[] := array['pending', 'confirmed', 'checked_in', 'in_progress', 'completed', 'no_show'];
    was constant jsonb := to_jsonb(old) - unsaid;
    becomes constant jsonb := to_jsonb(new) - unsaid;
    happened text;
begin
    if tg_op = 'INSERT' then
        happened := case when new.status = 'pending' then 'requested' else 'created' end;
    elsif was = becomes then
        return null;
    -- Moved: the status may change with it, when the new time is to be approved.
    elsif (new.starts_at, new.ends_at, new.provider_id) is distinct from (old.starts_at, old.ends_at, old.provider_id)
    then
        happened := 'rescheduled';
    elsif new.status = old.status then
        happened := 'updated';
    elsif array_position(life, new.status) < array_position(life, old.status) then
        happened := 'undone';
    else
        happened := case new.status when 'in_progress' then 'started' else new.status end;
    end if;
    perform messaging.emit(
        'appointment.' || happened, 'viewer', new.tenant_id, new.id, becomes, messaging.changes(was, becomes)
    );
    return null;
end
$$;

alter function scheduling.record_appointment_event() owner to appointd_gate;
grant execute on function scheduling.record_appointment_event() to appointd_owner;


-- Trigger, after a hold was made, or an expired one deleted: writes the event hold.created or hold.expired. A hold that
-- was confirmed is the hold_id of an appointment; one that was released is no event.
create function scheduling.record_hold_event()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if tg_op = 'INSERT' then
        perform messaging.emit(
            'hold.created', 'viewer', new.tenant_id, new.id, to_jsonb(new) - 'tenant_id', null
        );
    else
        perform messaging.emit(
            'hold.expired', 'viewer', old.tenant_id, old.id, to_jsonb(old) - 'tenant_id', null
        );
    end if;
    return null;
end
$$;

alter function scheduling.record_hold_event() owner to appointd_gate;
grant execute on function scheduling.record_hold_event() to appointd_owner;


-- Trigger, after a waitlist entry was made or changed: writes the event waitlist.joined, offered, accepted, passed_on
-- (the offer was declined or expired, and the time goes to the next entry), withdrawn or updated.
create function scheduling.record_waitlist_event()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    unsaid constant text[] := array['tenant_id', 'guest_key'];
    was constant jsonb := to_jsonb(old) - unsaid;
    becomes constant jsonb := to_jsonb(new) - unsaid;
begin
    if tg_op = 'UPDATE' and was = becomes then
        return null;
    end if;
    perform messaging.emit(
        'waitlist.' || case
            when tg_op = 'INSERT' then 'joined'
            when new.status = old.status then 'updated'
            when new.status = 'booked' then 'accepted'
            when new.status in ('declined', 'expired') then 'passed_on'
            when new.status = 'waiting' then 'updated'
            -- offered, withdrawn
            else new.status
        end,
        'viewer', new.tenant_id, new.id, becomes, messaging.changes(was, becomes)
    );
    return null;
end
$$;

alter function scheduling.record_waitlist_event() owner to appointd_gate;
grant execute on function scheduling.record_waitlist_event() to appointd_owner;


-- Whether the policies show the caller an appointment.
create function scheduling.sees_appointment(appointment uuid)
returns boolean
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

grant execute on function scheduling.sees_appointment(uuid) to appointd_api;


-- Whether the policies show the caller a waitlist entry.
create function scheduling.sees_waitlist_entry(entry uuid)
returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return exists (
        select
        from scheduling.waitlist_entries as w
        where
            w.tenant_id = (select app.tenant())
            and w.id = entry
    );
end
$$;

grant execute on function scheduling.sees_waitlist_entry(uuid) to appointd_api;


-- The services of a visit in their order, as JSON. One row; null: it has none.
create function scheduling.segments_of(organization uuid, appointment uuid)
returns table(segments jsonb)
language sql stable
as $$
select
    jsonb_agg(
        jsonb_build_object(
            'service_id', g.service_id, 'provider_id', g.provider_id, 'starts_at', g.starts_at, 'ends_at', g.ends_at
        )
        order by g.position
    )
from scheduling.appointment_segments as g
where g.tenant_id = organization and g.appointment_id = appointment
$$;

grant execute on function scheduling.segments_of(uuid,uuid) to appointd_api;


-- Inserts claims, and the shared claims of providers who have an account. wanted: an array of objects, named like the
-- columns; owner_id is the appointment, of_contact says that it is a contact's own time. held: owner_id is a hold, and
-- expiry is when the claims expire. Returns true, or fails with 23P01 on claims_no_overlap (the time or the seat is
-- taken) or shared_claims_no_overlap (another organization has booked the person).
create function scheduling.take_time(
    organization uuid, wanted jsonb, held boolean default false, expiry timestamptz default null::timestamptz
)
returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    claimed bigint;
    people bigint;
    shared bigint;
begin
    with wanted_claim as (
        select *
        from jsonb_to_recordset(wanted) as c (
            id uuid, owner_id uuid, resource_id uuid, service_id uuid, service_starts_at timestamptz,
            service_ends_at timestamptz, starts_at timestamptz, ends_at timestamptz, group_key uuid, seat smallint,
            capacity smallint, of_contact boolean
        )
    ),
    -- A contact becomes a resource when its time is first taken.
    contact as (
        insert into scheduling.resources (id, kind)
        select distinct c.resource_id, 'contact'
        from wanted_claim as c
        where c.of_contact
        order by 1
        on conflict do nothing
    ),
    claim as (
        insert into scheduling.claims (
            id, appointment_id, hold_id, resource_id, service_id, service_starts_at, service_ends_at, starts_at,
            ends_at, group_key, seat, capacity, expires_at
        )
        select
            c.id, case when not held then c.owner_id end, case when held then c.owner_id end, c.resource_id,
            c.service_id, c.service_starts_at, c.service_ends_at, c.starts_at, c.ends_at, c.group_key, c.seat,
            c.capacity, expiry
        from wanted_claim as c
        order by c.resource_id, c.starts_at
        on conflict do nothing
        returning resource_id
    )
    select count(*), count(p.id)
    into claimed, people
    from claim as c
    left join scheduling.providers as p
        on p.tenant_id = organization and p.id = c.resource_id and p.account_id is not null;
    if claimed < jsonb_array_length(wanted) then
        raise exception 'the time is taken' using errcode = 'exclusion_violation', constraint = 'claims_no_overlap';
    end if;
    if people > 0 then
        insert into scheduling.shared_claims (claim_id, provider_id, account_id, starts_at, ends_at)
        select c.id, p.id, p.account_id, c.starts_at, c.ends_at
        from
            jsonb_to_recordset(wanted) as c (id uuid, resource_id uuid, starts_at timestamptz, ends_at timestamptz)
        join scheduling.providers as p on p.tenant_id = organization and p.id = c.resource_id
        where p.account_id is not null
        order by p.account_id, c.starts_at
        on conflict do nothing;
        get diagnostics shared = row_count;
        if shared < people then
            raise exception 'the person is booked elsewhere'
                using errcode = 'exclusion_violation', constraint = 'shared_claims_no_overlap';
        end if;
    end if;
    return true;
end
$$;

grant execute on function scheduling.take_time(uuid,jsonb,boolean,timestamptz) to appointd_api;


-- The organizations that have expired holds or freed time to offer. The worker asks every few seconds and then enters
-- each as the scheduler.
create function scheduling.tenants_due()
returns setof uuid
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform app.stay_outside();
    return query
    -- Not clock_timestamp(): no index serves a function that changes from row to row.
    select h.tenant_id from scheduling.holds as h where h.expires_at <= statement_timestamp()
    union
    select f.tenant_id from scheduling.freed_time as f where f.freed_at <= statement_timestamp();
end
$$;

alter function scheduling.tenants_due() owner to appointd_gate;
grant execute on function scheduling.tenants_due() to appointd_worker;


-- Trigger, after a request to be a provider was made, answered, withdrawn or deleted with the member: sets updated_at
-- of the provider.
create function scheduling.touch_provider()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    -- An import brings the providers as they were.
    if session_user = 'appointd_owner' and current_setting('app.restoring', true) = 'on' then
        return null;
    end if;
    update scheduling.providers as p
    set updated_at = now()
    where p.tenant_id = coalesce(new.tenant_id, old.tenant_id) and p.id = coalesce(new.provider_id, old.provider_id);
    return null;
end
$$;


-- Waitlist entries of the entered organization that freed time (from starts[i] to ends[i]) may suit, after the given
-- entry, in the order of the queue. Every role may call it, since every role frees time; it returns ids and periods
-- only.
create function scheduling.waiting_for(
    starts timestamptz[], ends timestamptz[], after_created_at timestamptz, after_id uuid, most integer
)
returns table(
    id uuid, service_id uuid, provider_id uuid, contact_id uuid, from_instant timestamptz, to_instant timestamptz,
    created_at timestamptz
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    tenant constant uuid := app.tenant();
    -- The time of an appointment begins at most half a day before its start, and ends at most a day after.
    before interval := interval '24 hours';
    after interval := interval '12 hours';
begin
    if app.role() is null then
        raise exception 'no tenant was entered' using errcode = 'object_not_in_prerequisite_state';
    end if;
    -- If a limit is no longer reached, the whole week can be booked again.
    if scheduling.has_limits(tenant) then
        before := before + interval '7 days';
        after := after + interval '7 days';
    end if;
    return query
    select w.id, w.service_id, w.provider_id, w.contact_id, w.from_instant, w.to_instant, w.created_at
    from scheduling.waitlist_entries as w
    where
        w.tenant_id = tenant
        and w.status = 'waiting'
        and (w.created_at, w.id) > (waiting_for.after_created_at, waiting_for.after_id)
        and w.to_instant > clock_timestamp()
        and exists (
            select
            from unnest(waiting_for.starts, waiting_for.ends) as f (starts_at, ends_at)
            where w.from_instant < f.ends_at + after and w.to_instant > f.starts_at - before
        )
    order by w.created_at, w.id
    limit most;
end
$$;

alter function scheduling.waiting_for(timestamptz[],timestamptz[],timestamptz,uuid,integer) owner to appointd_gate;
grant execute on function scheduling.waiting_for(timestamptz[],timestamptz[],timestamptz,uuid,integer) to appointd_api;


-- Names for the waitlist entry of the guest in the context: of its service, of the provider that is wanted and of the
-- one whose time is offered.
create function scheduling.waiting_names(
    entry uuid, out service_name text, out provider_name text, out offered_provider_name text
)
returns record
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if app.role() is distinct from 'guest' then
        raise exception 'no guest has entered' using errcode = 'object_not_in_prerequisite_state';
    end if;
    select s.name, p.name, q.name
    into service_name, provider_name, offered_provider_name
    from scheduling.waitlist_entries as w
    join scheduling.services as s on s.tenant_id = w.tenant_id and s.id = w.service_id
    left join scheduling.providers as p on p.tenant_id = w.tenant_id and p.id = w.provider_id
    left join scheduling.holds as h on h.tenant_id = w.tenant_id and h.waitlist_entry_id = w.id
    left join scheduling.providers as q on q.tenant_id = h.tenant_id and q.id = h.provider_id
    where
        w.tenant_id = app.tenant()
        and w.id = entry
        and w.id = app.subject();
end
$$;

alter function scheduling.waiting_names(uuid) owner to appointd_gate;
grant execute on function scheduling.waiting_names(uuid) to appointd_api;
