-- The waitlist: contacts that would come if time were freed. A trigger notes freed time in scheduling.freed_time. The server
-- asks its booking engine which entries could now be booked, in the order in which they joined, and holds time for them with
-- a deadline: in the transaction that frees time where that is an appointment or a hold, otherwise some seconds later.

create table scheduling.waitlist_entries (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
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
    constraint waitlist_entries_pkey primary key (tenant_id, id),
    constraint waitlist_entries_service_fkey foreign key (tenant_id, service_id)
        references scheduling.services (tenant_id, id) on delete cascade,
    constraint waitlist_entries_provider_fkey foreign key (tenant_id, provider_id)
        references scheduling.providers (tenant_id, id) on delete cascade,
    constraint waitlist_entries_contact_fkey foreign key (tenant_id, contact_id) references crm.contacts (tenant_id, id) on delete cascade,
    constraint waitlist_entries_appointment_fkey foreign key (tenant_id, appointment_id)
        references scheduling.appointments (tenant_id, id),
    constraint waitlist_entries_period check (isfinite(from_instant) and isfinite(to_instant) and from_instant < to_instant),
    constraint waitlist_entries_status check (status in ('waiting', 'offered', 'booked', 'declined', 'expired', 'withdrawn')),
    constraint waitlist_entries_appointment check ((status = 'booked') = (appointment_id is not null))
);

comment on table scheduling.waitlist_entries is 'Who waits for time of a service to be freed, first come, first served.';
comment on column scheduling.waitlist_entries.tenant_id is 'The organization. Filled from the context; the server has no right to write it.';
comment on column scheduling.waitlist_entries.id is 'UUIDv7, made by the server.';
comment on column scheduling.waitlist_entries.service_id is 'What for.';
comment on column scheduling.waitlist_entries.provider_id is 'With whom; null: anybody.';
comment on column scheduling.waitlist_entries.contact_id is 'Who waits.';
comment on column scheduling.waitlist_entries.from_instant is 'The earliest start that would do.';
comment on column scheduling.waitlist_entries.to_instant is 'The instant before which it has to start.';
comment on column scheduling.waitlist_entries.status is 'waiting, offered (a hold stands for it), booked; or over: declined, expired, withdrawn.';
comment on column scheduling.waitlist_entries.appointment_id is 'Of a booked one: what came of it.';
comment on column scheduling.waitlist_entries.created_at is 'When the entry was made, by the clock of the database: the order of the queue, then id.';
comment on column scheduling.waitlist_entries.updated_at is 'When the row last changed.';
create index waitlist_entries_queue_idx on scheduling.waitlist_entries (tenant_id, created_at, id) where status = 'waiting';
create index waitlist_entries_service_idx on scheduling.waitlist_entries (tenant_id, service_id);
create index waitlist_entries_contact_idx on scheduling.waitlist_entries (tenant_id, contact_id);
create index waitlist_entries_provider_idx on scheduling.waitlist_entries (tenant_id, provider_id);
create index waitlist_entries_appointment_idx on scheduling.waitlist_entries (tenant_id, appointment_id);

call app.build_wall('scheduling.waitlist_entries', reads => 'viewer', inserts => 'staff', updates => 'staff');
call app.admit('scheduling.waitlist_entries', 'appointd_owner', array['all']);
call operations.audit('scheduling.waitlist_entries');
grant select on scheduling.waitlist_entries to appointd_api;
grant insert (id, service_id, provider_id, contact_id, from_instant, to_instant),
update (status, appointment_id, updated_at) on scheduling.waitlist_entries to appointd_api;

alter table scheduling.holds no force row level security;
alter table scheduling.waitlist_entries no force row level security;
alter table scheduling.holds
    add constraint holds_waitlist_entry_fkey foreign key (tenant_id, waitlist_entry_id)
        references scheduling.waitlist_entries (tenant_id, id) on delete cascade,
    -- One offer at a time.
    add constraint holds_waitlist_entry_key unique (tenant_id, waitlist_entry_id);
alter table scheduling.holds force row level security;
alter table scheduling.waitlist_entries force row level security;

-- The gate finds the organizations that have expired holds. It changes none.
drop policy tenant_floor on scheduling.holds;
create policy tenant_floor_select on scheduling.holds as restrictive for select to public
    using (
        tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid)
        or (select current_user) = 'appointd_gate'
    );
create policy tenant_floor_insert on scheduling.holds as restrictive for insert to public
    with check (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid));
create policy tenant_floor_update on scheduling.holds as restrictive for update to public
    using (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid))
    with check (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid));
create policy tenant_floor_delete on scheduling.holds as restrictive for delete to public
    using (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid));
create policy gate_select on scheduling.holds as permissive for select to appointd_gate using (true);
create index holds_due_idx on scheduling.holds (expires_at);

-- Freed time whose offering is not finished.
create table scheduling.freed_time (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    id uuid not null default gen_random_uuid(),
    resource_id uuid,
    service_id uuid,
    serves_at timestamptz,
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
    'Time that was freed and is yet to be offered to the waitlist. A row goes when every entry it may suit was asked.';
comment on column scheduling.freed_time.tenant_id is 'The organization. Filled from the context; the server has no right to write it.';
comment on column scheduling.freed_time.id is 'Random.';
comment on column scheduling.freed_time.resource_id is 'Whose time it is: a provider, a room, a piece of equipment or a contact. Null: of all providers.';
comment on column scheduling.freed_time.service_id is
    'With a resource: the service that took the time, whose daily and weekly limit it counted for. Without: the service whose rules changed.';
comment on column scheduling.freed_time.serves_at is 'With a service and a resource: the start that counted for the limits.';
comment on column scheduling.freed_time.starts_at is 'First instant.';
comment on column scheduling.freed_time.ends_at is 'First instant not freed; infinity where hours or rules changed for good.';
comment on column scheduling.freed_time.freed_at is 'The transaction that freed it: its start.';
comment on column scheduling.freed_time.after_created_at is 'Entries up to this one have been asked: its created_at. Null: none has.';
comment on column scheduling.freed_time.after_entry_id is 'Its id.';
create index freed_time_due_idx on scheduling.freed_time (freed_at);

call app.build_wall('scheduling.freed_time', reads => 'owner');
call app.admit('scheduling.freed_time', 'appointd_owner', array['all']);
call app.admit('scheduling.freed_time', 'appointd_gate', array['insert']);
-- The gate finds the organizations that have freed time to offer.
drop policy tenant_floor on scheduling.freed_time;
create policy tenant_floor_select on scheduling.freed_time as restrictive for select to public
    using (
        tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid)
        or (select current_user) = 'appointd_gate'
    );
create policy tenant_floor_insert on scheduling.freed_time as restrictive for insert to public
    with check (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid));
create policy tenant_floor_update on scheduling.freed_time as restrictive for update to public
    using (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid))
    with check (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid));
create policy tenant_floor_delete on scheduling.freed_time as restrictive for delete to public
    using (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid));
create policy gate_select on scheduling.freed_time as permissive for select to appointd_gate using (true);

grant select, delete, update (after_created_at, after_entry_id) on scheduling.freed_time to appointd_api;
grant select (tenant_id, freed_at), insert (resource_id, service_id, serves_at, starts_at, ends_at) on scheduling.freed_time to appointd_gate;
grant insert (waitlist_entry_id) on scheduling.holds to appointd_api;
grant select (tenant_id, provider_id, waitlist_entry_id, expires_at) on scheduling.holds to appointd_gate;
grant select (name) on scheduling.providers to appointd_gate;
call app.admit('scheduling.waitlist_entries', 'appointd_gate', array['select']);
call app.admit('scheduling.services', 'appointd_gate', array['select']);
grant select on scheduling.waitlist_entries to appointd_gate;
grant select (tenant_id, id, name) on scheduling.services to appointd_gate;
grant select (email, first_name, last_name) on crm.contacts to appointd_gate;

-- The scheduler: the server itself, when it offers freed time. It sees what decides when something can be booked and who
-- waits, and no names, addresses or notes. It holds time for entries of the waitlist and removes expired holds.
create function app.enter_scheduler(tenant uuid, request text) returns void
language plpgsql volatile
as $$
begin
    if tenant is null then
        raise exception 'a tenant is required' using errcode = 'AP401';
    end if;
    if nullif(current_setting('app.role', true), '') is null then
        execute format('set local app.tenant_id = %L', tenant);
        perform set_config('app.request_id', request, true);
        if not exists (select from tenancy.organizations as o where o.id = tenant and o.status = 'active') then
            raise exception 'no such organization' using errcode = 'AP404';
        end if;
    elsif nullif(current_setting('app.tenant_id', true), '')::uuid is distinct from tenant then
        raise exception 'this transaction has entered another tenant' using errcode = 'object_not_in_prerequisite_state';
    end if;
    -- What it does from here on, no person does.
    execute format('set local app.account_id = %L', '');
    execute format('set local app.key_id = %L', '');
    execute format('set local app.role = %L', 'scheduler');
end
$$;

comment on function app.enter_scheduler(uuid, text) is
    'Enters a tenant as the scheduler, or becomes the scheduler in a transaction that has entered the tenant, until it ends. '
    'Fails with AP404 where the organization is not active.';
grant execute on function app.enter_scheduler(uuid, text) to appointd_api;

call app.open_to('scheduling.services', 'scheduler', 'select');
call app.open_to('scheduling.providers', 'scheduler', 'select');
call app.open_to('scheduling.service_providers', 'scheduler', 'select');
call app.open_to('scheduling.service_resources', 'scheduler', 'select');
call app.open_to('scheduling.resources', 'scheduler', 'select');
call app.open_to('scheduling.schedules', 'scheduler', 'select');
call app.open_to('scheduling.schedule_rules', 'scheduler', 'select');
call app.open_to('scheduling.schedule_overrides', 'scheduler', 'select');
call app.open_to('scheduling.schedule_travels', 'scheduler', 'select');
call app.open_to('scheduling.closures', 'scheduler', 'select');
call app.open_to('scheduling.time_off', 'scheduler', 'select');
call app.open_to('scheduling.claims', 'scheduler', 'select');
call app.open_to('scheduling.claims', 'scheduler', 'insert', 'hold_id is not null');
call app.open_to('scheduling.shared_claims', 'scheduler', 'insert');
call app.open_to('scheduling.holds', 'scheduler', 'select');
call app.open_to('scheduling.holds', 'scheduler', 'insert', 'waitlist_entry_id is not null');
-- Locking what is deleted.
call app.open_to('scheduling.holds', 'scheduler', 'update');
call app.open_to('scheduling.holds', 'scheduler', 'delete');
call app.open_to('scheduling.waitlist_entries', 'scheduler', 'select');
call app.open_to('scheduling.waitlist_entries', 'scheduler', 'update');
call app.open_to('scheduling.freed_time', 'scheduler', 'select');
call app.open_to('scheduling.freed_time', 'scheduler', 'update');
call app.open_to('scheduling.freed_time', 'scheduler', 'delete');


grant create on schema scheduling to appointd_gate;
set local role appointd_gate;

create function scheduling.waiting_for(
    starts timestamptz[], ends timestamptz[], after_created_at timestamptz, after_id uuid, most integer
)
returns table (
    id uuid, service_id uuid, provider_id uuid, contact_id uuid, from_instant timestamptz, to_instant timestamptz, created_at timestamptz
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if nullif(current_setting('app.role', true), '') is null then
        raise exception 'no tenant was entered' using errcode = 'object_not_in_prerequisite_state';
    end if;
    return query
    select w.id, w.service_id, w.provider_id, w.contact_id, w.from_instant, w.to_instant, w.created_at
    from scheduling.waitlist_entries as w
    where
        w.tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid)
        and w.status = 'waiting'
        and (w.created_at, w.id) > (waiting_for.after_created_at, waiting_for.after_id)
        and w.to_instant > clock_timestamp()
        and exists (
            select
            from unnest(waiting_for.starts, waiting_for.ends) as f (starts_at, ends_at)
            -- The time of an appointment begins at most half a day before its start, and ends at most a day after.
            where w.from_instant < f.ends_at + interval '12 hours' and w.to_instant > f.starts_at - interval '24 hours'
        )
    order by w.created_at, w.id
    limit most;
end
$$;

comment on function scheduling.waiting_for(timestamptz[], timestamptz[], timestamptz, uuid, integer) is
    'Entries of the waitlist of the organization that was entered which time that is freed (from starts[i] to ends[i]) may suit, '
    'after the given one, in the order of the queue. Callable in every role, since each of them frees time: ids and periods only.';

create function scheduling.note_freed() returns trigger
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    resource uuid;
    service uuid;
    serves_at timestamptz;
    first timestamptz := clock_timestamp();
    past_last timestamptz := 'infinity';
begin
    if current_setting('app.restoring', true) = 'on' then
        return null;
    end if;
    if tg_table_name = 'claims' then
        resource := old.resource_id;
        service := old.service_id;
        serves_at := old.serves_at;
        first := old.starts_at;
        past_last := old.ends_at;
        if tg_op = 'UPDATE' then
            -- Shortened.
            first := new.ends_at;
        end if;
    elsif tg_table_name = 'time_off' then
        resource := old.provider_id;
        first := old.starts_at;
        past_last := old.ends_at;
    elsif tg_table_name = 'closures' then
        -- In whatever zone the days are.
        first := old.starts_on::timestamp at time zone 'UTC' - interval '1 day';
        past_last := old.ends_on::timestamp at time zone 'UTC' + interval '2 days';
    elsif tg_table_name = 'schedules' then
        resource := new.provider_id;
    elsif tg_table_name = 'services' then
        service := new.id;
    else
        -- A provider who can be booked again or for more, a room that can be used again.
        resource := new.id;
    end if;
    first := greatest(first, clock_timestamp());
    if first < past_last and exists (
        select
        from scheduling.waitlist_entries as w
        where
            w.tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid)
            and w.status = 'waiting'
            and w.from_instant < past_last + interval '12 hours'
            and w.to_instant > first - interval '24 hours'
    ) then
        insert into scheduling.freed_time (resource_id, service_id, serves_at, starts_at, ends_at)
        values (resource, service, serves_at, first, past_last);
    end if;
    return null;
end
$$;

comment on function scheduling.note_freed() is
    'Notes time that was freed in scheduling.freed_time, where the organization in the context has a waitlist entry that it may suit.';

create function scheduling.tenants_due() returns setof uuid
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform app.stay_outside();
    return query
    select h.tenant_id from scheduling.holds as h where h.expires_at <= clock_timestamp()
    union
    select f.tenant_id from scheduling.freed_time as f where f.freed_at <= clock_timestamp();
end
$$;

comment on function scheduling.tenants_due() is
    'The organizations that have expired holds, or freed time to offer. Servers ask every few seconds and then enter each as the scheduler.';

create function scheduling.offer_notice(
    in entry uuid,
    out email text, out service_name text, out provider_name text, out organization_name text, out time_zone text
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if current_setting('app.role', true) is distinct from 'scheduler' then
        raise exception 'the scheduler has not entered' using errcode = 'object_not_in_prerequisite_state';
    end if;
    select c.email, s.name, p.name, o.name, o.time_zone
    into email, service_name, provider_name, organization_name, time_zone
    from scheduling.waitlist_entries as w
    join crm.contacts as c on c.tenant_id = w.tenant_id and c.id = w.contact_id
    join scheduling.services as s on s.tenant_id = w.tenant_id and s.id = w.service_id
    join scheduling.holds as h on h.tenant_id = w.tenant_id and h.waitlist_entry_id = w.id
    join scheduling.providers as p on p.tenant_id = h.tenant_id and p.id = h.provider_id
    join tenancy.organizations as o on o.id = w.tenant_id
    where
        w.tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid)
        and w.id = entry
        and w.status = 'offered';
end
$$;

comment on function scheduling.offer_notice(uuid) is 'What the mail about an offer says: for the scheduler, of the organization it has entered.';

grant execute on function
    scheduling.waiting_for(timestamptz[], timestamptz[], timestamptz, uuid, integer),
    scheduling.tenants_due(),
    scheduling.offer_notice(uuid)
to appointd_api;
-- To make triggers of it.
grant execute on function scheduling.note_freed() to appointd_owner;
reset role;
revoke create on schema scheduling from appointd_gate;

create trigger note_freed_delete after delete on scheduling.claims
    for each row execute function scheduling.note_freed();
create trigger note_freed_update after update on scheduling.claims
    for each row when (new.ends_at < old.ends_at) execute function scheduling.note_freed();
create trigger note_freed_delete after delete on scheduling.time_off
    for each row execute function scheduling.note_freed();
create trigger note_freed_delete after delete on scheduling.closures
    for each row execute function scheduling.note_freed();
-- Moved or shortened: the engine sees what of it is still closed.
create trigger note_freed_update after update on scheduling.time_off
    for each row execute function scheduling.note_freed();
create trigger note_freed_update after update on scheduling.closures
    for each row execute function scheduling.note_freed();
-- Setting a schedule always writes its row.
create trigger note_freed_write after insert or update on scheduling.schedules
    for each row execute function scheduling.note_freed();
create trigger note_freed_update after update on scheduling.services
    for each row when (new.active) execute function scheduling.note_freed();
create trigger note_freed_update after update on scheduling.providers
    for each row when (new.active) execute function scheduling.note_freed();
create trigger note_freed_update after update on scheduling.resources
    for each row when (new.active and new.kind <> 'contact') execute function scheduling.note_freed();
