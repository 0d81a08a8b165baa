-- The waitlist: who would come if time were freed. Whatever frees time offers it, in the same transaction, to the first who
-- fits, as a hold with a deadline; declined or expired, the hold passes to the next, and nobody gets in between.

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
comment on column scheduling.waitlist_entries.id is 'UUIDv7, made by the server: the order of ids is the order of the queue.';
comment on column scheduling.waitlist_entries.service_id is 'What for.';
comment on column scheduling.waitlist_entries.provider_id is 'With whom; null: anybody.';
comment on column scheduling.waitlist_entries.contact_id is 'Who waits.';
comment on column scheduling.waitlist_entries.from_instant is 'The earliest start that would do.';
comment on column scheduling.waitlist_entries.to_instant is 'The instant before which it has to start.';
comment on column scheduling.waitlist_entries.status is 'waiting, offered (a hold stands for it), booked; or over: declined, expired, withdrawn.';
comment on column scheduling.waitlist_entries.appointment_id is 'Of a booked one: what came of it.';
comment on column scheduling.waitlist_entries.created_at is 'When they joined.';
comment on column scheduling.waitlist_entries.updated_at is 'When the row last changed.';
create index waitlist_entries_queue_idx on scheduling.waitlist_entries (tenant_id, service_id, id) where status = 'waiting';
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

-- Offers that are over, whosever they are: the gate finds them. What it then does it does within one organization.
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

call app.admit('scheduling.holds', 'appointd_gate', array['insert', 'update', 'delete']);
call app.admit('scheduling.claims', 'appointd_gate', array['select', 'insert', 'delete']);
call app.admit('scheduling.shared_claims', 'appointd_gate', array['insert']);
call app.admit('scheduling.waitlist_entries', 'appointd_gate', array['select', 'update']);
call app.admit('scheduling.services', 'appointd_gate', array['select']);
grant select, update (waitlist_entry_id, expires_at), delete on scheduling.holds to appointd_gate;
grant insert (id, service_id, provider_id, starts_at, ends_at, expires_at, waitlist_entry_id, created_by) on scheduling.holds to appointd_gate;
grant select (tenant_id, id, resource_id, hold_id, session_id, starts_at, ends_at, capacity, group_key, seat) on scheduling.claims to appointd_gate;
grant insert (id, resource_id, hold_id, service_id, serves_at, starts_at, ends_at, group_key, seat, capacity), delete on scheduling.claims to appointd_gate;
grant insert (claim_id, provider_id, account_id, session_id, starts_at, ends_at) on scheduling.shared_claims to appointd_gate;
grant select, update (status, updated_at) on scheduling.waitlist_entries to appointd_gate;
grant select (tenant_id, id, name, min_notice_minutes, active) on scheduling.services to appointd_gate;
grant select (email, first_name, last_name) on crm.contacts to appointd_gate;

grant create on schema scheduling to appointd_gate;
set local role appointd_gate;

create function scheduling.next_in_line(service uuid, provider uuid, starts_at timestamptz) returns uuid
language plpgsql volatile
as $$
begin
    return (
        select w.id
        from scheduling.waitlist_entries as w
        join scheduling.services as s on s.tenant_id = w.tenant_id and s.id = w.service_id
        where
            w.tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid)
            and w.service_id = service
            and w.status = 'waiting'
            and (w.provider_id is null or w.provider_id = provider)
            and w.from_instant <= next_in_line.starts_at
            and next_in_line.starts_at < w.to_instant
            and s.active
            and next_in_line.starts_at >= clock_timestamp() + make_interval(mins => s.min_notice_minutes)
        order by w.id
        limit 1
        -- Two who offer at once offer to two.
        for update of w skip locked
    );
end
$$;

comment on function scheduling.next_in_line(uuid, uuid, timestamptz) is 'The first on the waitlist of the organization in the context whom a start would suit; locked. Null: nobody.';

create function scheduling.offer_freed(
    in hold uuid, in service uuid, in provider uuid, in starts_at timestamptz, in ends_at timestamptz, in freed jsonb,
    in lifetime interval,
    out entry uuid, out email text, out service_name text
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    claimed integer;
begin
    if nullif(current_setting('app.role', true), '') is null then
        raise exception 'no tenant was entered' using errcode = 'object_not_in_prerequisite_state';
    end if;
    if lifetime > interval '2 hours' or ends_at - starts_at > interval '24 hours'
    or not exists (select from jsonb_array_elements(freed) as f where (f ->> 'resource_id')::uuid = provider) then
        raise exception 'not what an offer is' using errcode = 'object_not_in_prerequisite_state';
    end if;
    -- As whoever books does: until the transaction ends nobody makes the provider another person.
    perform pg_advisory_xact_lock_shared(hashtextextended(p.tenant_id::text || p.id::text, 0))
    from scheduling.providers as p
    where p.tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid) and p.id = provider;
    entry := scheduling.next_in_line(service, provider, starts_at);
    if entry is null then
        return;
    end if;
    -- Nobody asked for it, so nobody made it.
    insert into scheduling.holds (id, service_id, provider_id, starts_at, ends_at, expires_at, waitlist_entry_id, created_by)
    values (hold, service, provider, starts_at, ends_at, clock_timestamp() + lifetime, entry, null);
    with claimed as (
        -- Without an expiry: an offer that is over is passed on, and until then nobody gets in between.
        insert into scheduling.claims (id, resource_id, hold_id, service_id, serves_at, starts_at, ends_at, group_key, seat, capacity)
        select gen_random_uuid(), f.resource_id, hold, f.service_id, f.serves_at, f.starts_at, f.ends_at, f.group_key, f.seat, f.capacity
        from jsonb_to_recordset(freed) as f (
            resource_id uuid, service_id uuid, serves_at timestamptz, starts_at timestamptz, ends_at timestamptz,
            group_key uuid, seat smallint, capacity smallint
        )
        order by f.resource_id
        on conflict do nothing
        returning id, resource_id, session_id, claims.starts_at, claims.ends_at
    ),
    people as (
        select c.id, c.session_id, c.starts_at, c.ends_at, p.id as provider_id, p.account_id
        from claimed as c
        join scheduling.providers as p
            on p.tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid) and p.id = c.resource_id
        where p.account_id is not null
    ),
    shared as (
        insert into scheduling.shared_claims (claim_id, provider_id, account_id, session_id, starts_at, ends_at)
        select p.id, p.provider_id, p.account_id, p.session_id, p.starts_at, p.ends_at from people as p
        on conflict do nothing
        returning 1
    )
    select (select count(*) from claimed) - (select count(*) from people) + (select count(*) from shared) into claimed;
    if claimed <> jsonb_array_length(freed) then
        -- Taken again in the same transaction: moved by less than its length.
        delete from scheduling.holds as h
        where h.tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid) and h.id = hold;
        entry := null;
        return;
    end if;
    update scheduling.waitlist_entries as w
    set status = 'offered', updated_at = clock_timestamp()
    where w.tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid) and w.id = entry;
    select c.email, s.name
    into email, service_name
    from scheduling.waitlist_entries as w
    join crm.contacts as c on c.tenant_id = w.tenant_id and c.id = w.contact_id
    join scheduling.services as s on s.tenant_id = w.tenant_id and s.id = w.service_id
    where w.tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid) and w.id = entry;
end
$$;

comment on function scheduling.offer_freed(uuid, uuid, uuid, timestamptz, timestamptz, jsonb, interval) is
    'Offers time that was just freed to the first on the waitlist it suits: makes a hold with these claims for them. Within the organization that was entered, whoever frees it. Null: nobody waits for it.';

create function scheduling.pass_on(hold uuid, outcome text, lifetime interval) returns uuid
language plpgsql volatile
as $$
declare
    offer scheduling.holds;
    next_entry uuid;
begin
    select * into offer
    from scheduling.holds as h
    where h.tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid) and h.id = hold
    for update;
    if offer.id is null then
        return null;
    end if;
    update scheduling.waitlist_entries as w
    set status = outcome, updated_at = clock_timestamp()
    where w.tenant_id = offer.tenant_id and w.id = offer.waitlist_entry_id;
    next_entry := scheduling.next_in_line(offer.service_id, offer.provider_id, offer.starts_at);
    if next_entry is null then
        delete from scheduling.holds as h where h.tenant_id = offer.tenant_id and h.id = offer.id;
    else
        update scheduling.holds as h
        set
            waitlist_entry_id = next_entry,
            -- Nobody accepts what has begun.
            expires_at = least(clock_timestamp() + lifetime, greatest(h.starts_at, clock_timestamp() + interval '1 second'))
        where h.tenant_id = offer.tenant_id and h.id = offer.id;
        update scheduling.waitlist_entries as w
        set status = 'offered', updated_at = clock_timestamp()
        where w.tenant_id = offer.tenant_id and w.id = next_entry;
    end if;
    return next_entry;
end
$$;

comment on function scheduling.pass_on(uuid, text, interval) is
    'Ends an offer of the organization in the context as `outcome` and makes it to the next in line, who is returned; where nobody is, the time is free.';

create function scheduling.decline_offer(
    in entry uuid, in outcome text, in lifetime interval, out next_entry uuid, out email text, out service_name text, out starts_at timestamptz
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    offer scheduling.holds;
begin
    if not coalesce(current_setting('app.role', true) = any ('{staff,manager,admin,owner}'), false)
    or outcome not in ('declined', 'withdrawn') or lifetime > interval '2 hours' then
        raise exception 'nobody who may has entered a tenant' using errcode = 'object_not_in_prerequisite_state';
    end if;
    select * into offer
    from scheduling.holds as h
    where h.tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid) and h.waitlist_entry_id = entry;
    starts_at := offer.starts_at;
    next_entry := scheduling.pass_on(offer.id, outcome, lifetime);
    select c.email, s.name
    into email, service_name
    from scheduling.waitlist_entries as w
    join crm.contacts as c on c.tenant_id = w.tenant_id and c.id = w.contact_id
    join scheduling.services as s on s.tenant_id = w.tenant_id and s.id = w.service_id
    where w.tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid) and w.id = next_entry;
end
$$;

comment on function scheduling.decline_offer(uuid, text, interval) is
    'Ends the offer to somebody on the waitlist of the organization that was entered, as declined or withdrawn, and makes it to the next in line.';

create function scheduling.pass_on_expired(lifetime interval)
returns table (
    email text, service_name text, organization_name text, starts_at timestamptz, time_zone text, organization_id uuid
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    due record;
    next_entry uuid;
begin
    perform app.stay_outside();
    for due in
        select h.tenant_id, h.id, h.waitlist_entry_id
        from scheduling.holds as h
        where h.expires_at <= clock_timestamp()
        order by h.expires_at, h.tenant_id, h.id
        limit 100
    loop
        execute format('set local app.tenant_id = %L', due.tenant_id);
        -- Somebody may be confirming or declining it at this moment, or have done so: then it is theirs.
        perform from scheduling.holds as h
        where h.tenant_id = due.tenant_id and h.id = due.id and h.expires_at <= clock_timestamp()
        for update skip locked;
        if found and due.waitlist_entry_id is null then
            -- In its own organization it counts for nothing any more; for a person who works for others it would.
            delete from scheduling.holds as h where h.tenant_id = due.tenant_id and h.id = due.id;
        elsif found then
            next_entry := scheduling.pass_on(due.id, 'expired', lifetime);
            return query
            select c.email, s.name, o.name, h.starts_at, o.time_zone, o.id
            from scheduling.waitlist_entries as w
            join scheduling.holds as h on h.tenant_id = w.tenant_id and h.waitlist_entry_id = w.id
            join crm.contacts as c on c.tenant_id = w.tenant_id and c.id = w.contact_id
            join scheduling.services as s on s.tenant_id = w.tenant_id and s.id = w.service_id
            join tenancy.organizations as o on o.id = w.tenant_id
            where w.tenant_id = due.tenant_id and w.id = next_entry;
        end if;
    end loop;
    execute format('set local app.tenant_id = %L', '');
end
$$;

comment on function scheduling.pass_on_expired(interval) is
    'Removes holds of all organizations that are over, and passes on offers that nobody took in time, at most 100 a call; the mails to send. Servers call it every few seconds.';

grant execute on function
    scheduling.offer_freed(uuid, uuid, uuid, timestamptz, timestamptz, jsonb, interval),
    scheduling.decline_offer(uuid, text, interval),
    scheduling.pass_on_expired(interval)
to appointd_api;
reset role;
revoke create on schema scheduling from appointd_gate;
