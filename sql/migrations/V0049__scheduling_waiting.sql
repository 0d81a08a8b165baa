-- Waiting, without loss: an entry that joins while time is freed, limits that reach over days, and time that another
-- organization or a change of the time zone frees.

-- Sees what the caller sees: of a contact who waits again, the other entries.
create or replace function scheduling.keep_waiting_few() returns trigger
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

grant select (max_per_day, max_per_week) on scheduling.services to appointd_gate;
grant select (max_per_day, max_per_week) on scheduling.providers to appointd_gate;

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

create or replace function scheduling.waiting_for(
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
    tenant constant uuid := nullif(current_setting('app.tenant_id', true), '')::uuid;
    -- The time of an appointment begins at most half a day before its start, and ends at most a day after.
    before interval := interval '24 hours';
    after interval := interval '12 hours';
begin
    if nullif(current_setting('app.role', true), '') is null then
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

create or replace function scheduling.note_freed() returns trigger
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    tenant constant uuid := nullif(current_setting('app.tenant_id', true), '')::uuid;
    resource uuid;
    service uuid;
    service_starts_at timestamptz;
    first timestamptz := clock_timestamp();
    past_last timestamptz := 'infinity';
    reach interval := interval '24 hours';
begin
    if current_setting('app.restoring', true) = 'on' then
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

-- The time of a linked person: free in every organization of theirs, which the one that freed it does not see.
create function scheduling.note_freed_elsewhere() returns trigger
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    entered constant text := coalesce(current_setting('app.tenant_id', true), '');
    actor constant text := coalesce(current_setting('app.account_id', true), '');
    others uuid[];
    first timestamptz := lower(old.during);
    past_last constant timestamptz := upper(old.during);
    organization uuid;
begin
    if current_setting('app.restoring', true) = 'on' then
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
    execute format('set local app.account_id = %L', old.account_id);
    select array_agg(m.tenant_id order by m.tenant_id)
    into others
    from tenancy.members as m
    where m.account_id = old.account_id and m.tenant_id <> old.tenant_id;
    execute format('set local app.account_id = %L', actor);
    foreach organization in array coalesce(others, '{}') loop
        execute format('set local app.tenant_id = %L', organization);
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
    execute format('set local app.tenant_id = %L', entered);
    return null;
end
$$;

comment on function scheduling.note_freed_elsewhere() is
    'Trigger, after the time of a person was freed, or the person is no longer that provider: notes it in '
    'scheduling.freed_time of the other organizations whose provider the person is, if an entry of theirs may suit.';

grant execute on function scheduling.note_freed_elsewhere() to appointd_owner;
reset role;
revoke create on schema scheduling from appointd_gate;

create trigger note_freed_elsewhere_delete after delete on scheduling.shared_claims
for each row when (old.account_id is not null) execute function scheduling.note_freed_elsewhere();
create trigger note_freed_elsewhere_update after update on scheduling.shared_claims
for each row
when (old.account_id is not null and (new.account_id is distinct from old.account_id or new.ends_at < old.ends_at))
execute function scheduling.note_freed_elsewhere();
create trigger note_freed_update after update on tenancy.organizations
for each row when (new.time_zone <> old.time_zone) execute function scheduling.note_freed();
