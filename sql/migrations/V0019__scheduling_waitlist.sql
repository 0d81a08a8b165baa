-- The waitlist: contacts that would come if time were freed. A trigger notes freed time in scheduling.freed_time
-- (scheduling.note_freed). The server asks its booking engine which entries could now be booked, in the order in which
-- they joined, and holds time for them with a deadline: in the transaction that frees the time if that was an
-- appointment or a hold, otherwise some seconds later.

create table scheduling.waitlist_entries (
    tenant_id uuid not null default app.tenant(),
    id uuid not null,
    service_id uuid not null,
    provider_id uuid,
    contact_id uuid not null,
    from_instant timestamptz not null,
    to_instant timestamptz not null,
    status text not null default 'waiting',
    appointment_id uuid,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    guest_key uuid,
    constraint waitlist_entries_pkey primary key (tenant_id, id),
    constraint waitlist_entries_service_fkey foreign key (tenant_id, service_id)
        references scheduling.services (tenant_id, id) on delete cascade,
    constraint waitlist_entries_provider_fkey foreign key (tenant_id, provider_id)
        references scheduling.providers (tenant_id, id) on delete cascade,
    constraint waitlist_entries_contact_fkey foreign key (tenant_id, contact_id)
        references crm.contacts (tenant_id, id) on delete cascade,
    constraint waitlist_entries_appointment_fkey foreign key (tenant_id, appointment_id)
        references scheduling.appointments (tenant_id, id),
    constraint waitlist_entries_period check (
        isfinite(from_instant) and isfinite(to_instant) and from_instant < to_instant
    ),
    constraint waitlist_entries_status check (
        status in ('waiting', 'offered', 'booked', 'declined', 'expired', 'withdrawn')
    ),
    constraint waitlist_entries_appointment check ((status = 'booked') = (appointment_id is not null)),
    -- A contact waits once for a time. (An entry for any provider and one for a named provider may overlap.)
    constraint waitlist_entries_no_overlap exclude using gist (
        tenant_id with =, contact_id with =, service_id with =,
        coalesce(provider_id, '00000000-0000-0000-0000-000000000000'::uuid) with =,
        tstzrange(from_instant, to_instant, '[)') with &&
    ) where (status in ('waiting', 'offered'))
)
-- Rows change all day: vacuum after 2 % of them, not 20 %.
with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

comment on table scheduling.waitlist_entries is
    'Contacts that wait for time of a service to be freed, first come, first served.';
comment on column scheduling.waitlist_entries.id is 'UUIDv7, made by the server.';
comment on column scheduling.waitlist_entries.service_id is 'The service.';
comment on column scheduling.waitlist_entries.provider_id is 'The wanted provider; null: any.';
comment on column scheduling.waitlist_entries.contact_id is 'The contact that waits.';
comment on column scheduling.waitlist_entries.from_instant is 'Earliest acceptable start.';
comment on column scheduling.waitlist_entries.to_instant is 'First instant that is too late for a start.';
comment on column scheduling.waitlist_entries.status is
    'waiting, offered (a hold stands for it), booked; or closed: declined, expired, withdrawn.';
comment on column scheduling.waitlist_entries.appointment_id is 'For a booked entry: the appointment.';
comment on column scheduling.waitlist_entries.created_at is
    'When the entry was made, by the clock of the database: the order of the queue, then id.';
comment on column scheduling.waitlist_entries.updated_at is 'When the row last changed.';
comment on column scheduling.waitlist_entries.guest_key is
    'For an entry of a guest: what appointments of their e-mail address are marked with '
    '(scheduling.appointments.guest_key).';
comment on constraint waitlist_entries_no_overlap on scheduling.waitlist_entries is
    'A contact waits once for one service, one provider and one time.';

create index waitlist_entries_queue_idx on scheduling.waitlist_entries (tenant_id, created_at, id)
where status = 'waiting';
-- Access path of GET /waitlist.
create index waitlist_entries_created_idx on scheduling.waitlist_entries (tenant_id, created_at, id);
create index waitlist_entries_service_idx on scheduling.waitlist_entries (tenant_id, service_id);
create index waitlist_entries_contact_idx on scheduling.waitlist_entries (tenant_id, contact_id);
create index waitlist_entries_provider_idx on scheduling.waitlist_entries (tenant_id, provider_id);
create index waitlist_entries_appointment_idx on scheduling.waitlist_entries (tenant_id, appointment_id);
create index waitlist_entries_updated_idx on scheduling.waitlist_entries (tenant_id, updated_at);

call app.build_wall('scheduling.waitlist_entries', reads => 'viewer', inserts => 'staff', updates => 'staff');
call app.open_to('scheduling.waitlist_entries', 'scheduler', 'select');
call app.open_to('scheduling.waitlist_entries', 'scheduler', 'update');
call app.open_to(
    'scheduling.waitlist_entries', 'guest', 'select',
    $$
    id = (select app.subject())
    $$
);
call app.open_to(
    'scheduling.waitlist_entries', 'guest', 'insert',
    $$
    id = (select app.subject())
    $$
);
call app.open_to(
    'scheduling.waitlist_entries', 'guest', 'update',
    $$
    id = (select app.subject())
    $$
);

-- Customers see and change waitlist entries of their contact.
call app.open_to(
    'scheduling.waitlist_entries', 'customer', 'select',
    $$
    contact_id = any ((select crm.own_contacts())::uuid[])
    $$
);
call app.open_to(
    'scheduling.waitlist_entries', 'customer', 'insert',
    $$
    id = (select app.subject())
    and contact_id = any ((select crm.own_contacts())::uuid[])
    $$
);
call app.open_to(
    'scheduling.waitlist_entries', 'customer', 'update',
    $$
    id = (select app.subject())
    and contact_id = any ((select crm.own_contacts())::uuid[])
    $$
);
call app.admit('scheduling.waitlist_entries', 'appointd_gate', array['select']);
call app.admit('scheduling.waitlist_entries', 'appointd_owner', array['all']);
call operations.audit('scheduling.waitlist_entries');

grant
    select,
    insert (id, service_id, provider_id, contact_id, from_instant, to_instant, guest_key),
    update (status, appointment_id, updated_at)
on scheduling.waitlist_entries to appointd_api;
grant select on scheduling.waitlist_entries to appointd_gate;


-- For policies; see crm.own_contacts.
create function scheduling.sees_waitlist_entry(entry uuid) returns boolean
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

comment on function scheduling.sees_waitlist_entry(uuid) is 'Whether the policies show the caller a waitlist entry.';

grant execute on function scheduling.sees_waitlist_entry(uuid) to appointd_api;


create table scheduling.freed_time (
    tenant_id uuid not null default app.tenant(),
    id uuid not null default gen_random_uuid(),
    resource_id uuid,
    service_id uuid,
    service_starts_at timestamptz,
    starts_at timestamptz not null,
    ends_at timestamptz not null,
    freed_at timestamptz not null default now(),
    after_created_at timestamptz,
    after_entry_id uuid,
    constraint freed_time_pkey primary key (tenant_id, id),
    constraint freed_time_tenant_fkey foreign key (tenant_id) references tenancy.organizations (id),
    constraint freed_time_time check (starts_at < ends_at),
    constraint freed_time_after check ((after_created_at is null) = (after_entry_id is null))
);

comment on table scheduling.freed_time is
    'Time that was freed and has yet to be offered to the waitlist. A row is deleted when every entry that it may '
    'suit was considered.';
comment on column scheduling.freed_time.id is 'Random.';
comment on column scheduling.freed_time.resource_id is
    'The resource whose time was freed: a provider, a room, a piece of equipment or a contact. Null: all providers.';
comment on column scheduling.freed_time.service_id is
    'With a resource: the service that took the time and counted towards daily and weekly limits. Without: the '
    'service whose rules changed.';
comment on column scheduling.freed_time.service_starts_at is
    'With a service and a resource: the start that counted towards the limits.';
comment on column scheduling.freed_time.starts_at is 'First instant.';
comment on column scheduling.freed_time.ends_at is
    'First instant after the freed time; infinity: hours or rules changed for good.';
comment on column scheduling.freed_time.freed_at is 'Start of the transaction that freed it.';
comment on column scheduling.freed_time.after_created_at is
    'created_at of the last entry that was considered. Null: none was.';
comment on column scheduling.freed_time.after_entry_id is 'Id of that entry.';

create index freed_time_due_idx on scheduling.freed_time (freed_at);
create index freed_time_order_idx on scheduling.freed_time (tenant_id, freed_at, id);

-- The door: the gate finds the organizations that have freed time to offer.
call app.build_wall(
    'scheduling.freed_time', reads => 'owner',
    door => $$(select current_user) = 'appointd_gate'$$
);
call app.open_to('scheduling.freed_time', 'scheduler', 'select');
call app.open_to('scheduling.freed_time', 'scheduler', 'update');
call app.open_to('scheduling.freed_time', 'scheduler', 'delete');
call app.admit('scheduling.freed_time', 'appointd_gate', array['insert']);
create policy gate_select on scheduling.freed_time as permissive for select to appointd_gate using (true);
call app.admit('scheduling.freed_time', 'appointd_owner', array['all']);

grant select, update (after_created_at, after_entry_id), delete on scheduling.freed_time to appointd_api;
grant select (tenant_id, freed_at), insert (resource_id, service_id, service_starts_at, starts_at, ends_at)
on scheduling.freed_time to appointd_gate;

-- Every offer to an entry holds time for an hour, so waiting has a limit.
-- Sees what the caller sees: of a contact who waits again, the other entries.
create function scheduling.keep_waiting_few() returns trigger
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

comment on function scheduling.keep_waiting_few() is
    'Trigger, after an entry of the waitlist came in: refuses more than 10 of one contact that wait or are offered '
    'time, and waits for transactions that free time without having seen the entry.';
create trigger keep_few after insert on scheduling.waitlist_entries
for each row execute function scheduling.keep_waiting_few();
