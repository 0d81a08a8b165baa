-- Freed time and the waitlist: functions that run as appointd_gate, since the transaction that frees time may not see
-- who waits for it.

grant select (max_per_day, max_per_week) on scheduling.services to appointd_gate;
grant select (max_per_day, max_per_week) on scheduling.providers to appointd_gate;

-- A function's owner must be able to create in its schema; the gate may only while this migration runs.
grant create on schema scheduling to appointd_gate;
set local role appointd_gate;

create function scheduling.has_limits(tenant uuid) returns boolean
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

comment on function scheduling.has_limits(uuid) is
    'Whether a service or provider of the organization has a daily or weekly limit. With the policies of its caller.';

create function scheduling.note_freed() returns trigger
language plpgsql volatile security definer
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

comment on function scheduling.note_freed() is
    'Trigger, after time was freed: notes it in scheduling.freed_time, if the organization in the context has a '
    'waitlist entry that it may suit.';

-- The time of a linked person: free in every organization of theirs, which the one that freed it does not see.
create function scheduling.note_freed_elsewhere() returns trigger
language plpgsql volatile security definer
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

comment on function scheduling.note_freed_elsewhere() is
    'Trigger, after the time of a person was freed, or the person is no longer that provider: notes it in '
    'scheduling.freed_time of the other organizations whose provider the person is, if an entry of theirs may suit.';

create function scheduling.waiting_for(
    starts timestamptz[], ends timestamptz[], after_created_at timestamptz, after_id uuid, most integer
)
returns table (
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

comment on function scheduling.waiting_for(timestamptz[], timestamptz[], timestamptz, uuid, integer) is
    'Waitlist entries of the entered organization that freed time (from starts[i] to ends[i]) may suit, after the '
    'given entry, in the order of the queue. Every role may call it, since every role frees time; it returns ids and '
    'periods only.';

create function scheduling.offer_notice(
    in entry uuid,
    out email text,
    out service_name text,
    out provider_name text,
    out organization_name text,
    out time_zone text,
    out proof bytea
)
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

comment on function scheduling.offer_notice(uuid) is
    'Contents of the mail about an offer, and the proof for the guest''s link, for the scheduler in the entered '
    'organization.';

create function scheduling.tenants_due() returns setof uuid
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

comment on function scheduling.tenants_due() is
    'The organizations that have expired holds or freed time to offer. The worker asks every few seconds and then '
    'enters each as the scheduler.';

grant execute on function
    scheduling.waiting_for(timestamptz[], timestamptz[], timestamptz, uuid, integer),
    scheduling.offer_notice(uuid)
to appointd_api;
grant execute on function scheduling.tenants_due() to appointd_worker;
-- The role that makes a trigger must be allowed to call its function.
grant execute on function scheduling.note_freed(), scheduling.note_freed_elsewhere() to appointd_owner;
reset role;
revoke create on schema scheduling from appointd_gate;

create trigger note_freed_delete after delete on scheduling.claims
for each row execute function scheduling.note_freed();
create trigger note_freed_update after update on scheduling.claims
for each row when (new.ends_at < old.ends_at) execute function scheduling.note_freed();
create trigger note_freed_delete after delete on scheduling.time_off
for each row execute function scheduling.note_freed();
-- Moved or shortened: the booking engine sees what of it is still closed.
create trigger note_freed_update after update on scheduling.time_off
for each row execute function scheduling.note_freed();
create trigger note_freed_delete after delete on scheduling.closures
for each row execute function scheduling.note_freed();
create trigger note_freed_update after update on scheduling.closures
for each row execute function scheduling.note_freed();
-- Replacing a schedule always updates its row.
create trigger note_freed_write after insert or update on scheduling.schedules
for each row execute function scheduling.note_freed();
create trigger note_freed_update after update on scheduling.services
for each row when (new.active) execute function scheduling.note_freed();
create trigger note_freed_update after update on scheduling.providers
for each row when (new.active) execute function scheduling.note_freed();
create trigger note_freed_update after update on scheduling.resources
for each row when (new.active and new.kind <> 'contact') execute function scheduling.note_freed();
create trigger note_freed_elsewhere_delete after delete on scheduling.shared_claims
for each row when (old.account_id is not null) execute function scheduling.note_freed_elsewhere();
create trigger note_freed_elsewhere_update after update on scheduling.shared_claims
for each row
when (old.account_id is not null and (new.account_id is distinct from old.account_id or new.ends_at < old.ends_at))
execute function scheduling.note_freed_elsewhere();
create trigger note_freed_update after update on tenancy.organizations
for each row when (new.time_zone <> old.time_zone) execute function scheduling.note_freed();
