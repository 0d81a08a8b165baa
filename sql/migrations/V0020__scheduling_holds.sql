-- Holds: time that is kept for a person for some minutes, and how many of them may stand at once. Each takes time, is
-- read when slots are listed, and has to be removed when it expires: without a bound one organization could keep the
-- sweep of all others busy, and one customer could hold the whole day of an organization. What guests may hold is
-- bounded by how often they may ask (scheduling.guest_requests).

create table scheduling.holds (
    tenant_id uuid not null default app.tenant(),
    id uuid not null,
    service_id uuid not null,
    provider_id uuid not null,
    starts_at timestamptz not null,
    ends_at timestamptz not null,
    expires_at timestamptz not null,
    overridden boolean not null default false,
    waitlist_entry_id uuid,
    created_at timestamptz not null default now(),
    created_by uuid default coalesce(app.account(), app.api_key()),
    constraint holds_pkey primary key (tenant_id, id),
    -- One offer at a time.
    constraint holds_waitlist_entry_key unique (tenant_id, waitlist_entry_id),
    constraint holds_service_fkey foreign key (tenant_id, service_id)
        references scheduling.services (tenant_id, id) on delete cascade,
    constraint holds_provider_fkey foreign key (tenant_id, provider_id)
        references scheduling.providers (tenant_id, id) on delete cascade,
    constraint holds_waitlist_entry_fkey foreign key (tenant_id, waitlist_entry_id)
        references scheduling.waitlist_entries (tenant_id, id) on delete cascade,
    constraint holds_time check (starts_at < ends_at)
)
-- Rows change all day: vacuum after 2 % of them, not 20 %.
with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

comment on table scheduling.holds is
    'Time that is kept for a person for some minutes. Confirmed in time, a hold becomes an appointment. An expired '
    'hold counts for nothing: the next booking deletes it, or the worker does after some seconds.';
comment on column scheduling.holds.id is 'UUIDv7, made by the server.';
comment on column scheduling.holds.service_id is 'The service to be booked.';
comment on column scheduling.holds.provider_id is 'The provider whose time is held.';
comment on column scheduling.holds.starts_at is 'First instant.';
comment on column scheduling.holds.ends_at is 'First instant after it.';
comment on column scheduling.holds.expires_at is 'Until when it can be confirmed, by the clock of the database.';
comment on column scheduling.holds.overridden is 'Whether staff held it against the rules of the service.';
comment on column scheduling.holds.waitlist_entry_id is
    'For an offer: the entry of the waitlist. An expired offer goes to the next entry.';
comment on column scheduling.holds.created_at is 'When it was made.';
comment on column scheduling.holds.created_by is
    'The account or API key that made it; null: the waitlist. Filled from the context.';

create index holds_expires_idx on scheduling.holds (tenant_id, expires_at);
create index holds_service_idx on scheduling.holds (tenant_id, service_id);
create index holds_provider_idx on scheduling.holds (tenant_id, provider_id);
create index holds_due_idx on scheduling.holds (expires_at);

-- The door: the gate finds the organizations that have expired holds. It changes none.
call app.build_wall(
    'scheduling.holds', reads => 'viewer', inserts => 'staff', deletes => 'staff',
    door => $$(select current_user) = 'appointd_gate'$$
);

-- Confirming a hold and taking it over lock it, so that they wait for each other. Locking requires a policy for update
-- and the right to update a column; no statement changes one.
create policy staff_update on scheduling.holds as permissive for update to appointd_api
    using (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{staff,manager,admin,owner}'))
    );
call app.open_to('scheduling.holds', 'scheduler', 'select');
call app.open_to('scheduling.holds', 'scheduler', 'insert', 'waitlist_entry_id is not null');

-- Deleting locks the row first, which requires a policy for update.
call app.open_to('scheduling.holds', 'scheduler', 'update');
call app.open_to('scheduling.holds', 'scheduler', 'delete');
call app.open_to(
    'scheduling.holds', 'guest', 'select',
    $$
    case
        when expires_at <= statement_timestamp() then true
        when id = (select app.subject()) then created_by is null
        else scheduling.sees_waitlist_entry(waitlist_entry_id)
    end
    $$
);
call app.open_to(
    'scheduling.holds', 'guest', 'delete',
    $$
    case
        when expires_at <= statement_timestamp() and waitlist_entry_id is null then true
        when id = (select app.subject()) then created_by is null
        else scheduling.sees_waitlist_entry(waitlist_entry_id)
    end
    $$
);

-- Deleting locks the row first, which requires a policy for update.
call app.open_to(
    'scheduling.holds', 'guest', 'update',
    $$
    case
        when expires_at <= statement_timestamp() and waitlist_entry_id is null then true
        when id = (select app.subject()) then created_by is null
        else scheduling.sees_waitlist_entry(waitlist_entry_id)
    end
    $$
);
call app.open_to(
    'scheduling.holds', 'guest,customer', 'insert',
    $$
    id = (select app.subject()) and waitlist_entry_id is null
    $$
);

-- Customers see their own holds, offers for their waitlist entries, and all expired holds.
call app.open_to(
    'scheduling.holds', 'customer', 'select',
    $$
    case
        when expires_at <= statement_timestamp() then true
        when created_by = (select app.account())
            then waitlist_entry_id is null
        else scheduling.sees_waitlist_entry(waitlist_entry_id)
    end
    $$
);
call app.open_to(
    'scheduling.holds', 'customer', 'delete',
    $$
    case
        when expires_at <= statement_timestamp() and waitlist_entry_id is null then true
        when id = (select app.subject())
            then created_by = (select app.account())
        else scheduling.sees_waitlist_entry(waitlist_entry_id)
    end
    $$
);
call app.open_to(
    'scheduling.holds', 'customer', 'update',
    $$
    case
        when expires_at <= statement_timestamp() and waitlist_entry_id is null then true
        when id = (select app.subject())
            then created_by = (select app.account())
        else scheduling.sees_waitlist_entry(waitlist_entry_id)
    end
    $$
);
create policy gate_select on scheduling.holds as permissive for select to appointd_gate using (true);
call app.admit('scheduling.holds', 'appointd_owner', array['all']);
call operations.audit('scheduling.holds');

grant
    select,
    insert (id, service_id, provider_id, starts_at, ends_at, expires_at, overridden, waitlist_entry_id),
    update (overridden),
    delete
on scheduling.holds to appointd_api;
grant select (tenant_id, provider_id, expires_at, waitlist_entry_id, created_by) on scheduling.holds to appointd_gate;

-- A function's owner must be able to create in its schema; the gate may only while this migration runs.
grant create on schema scheduling to appointd_gate;
set local role appointd_gate;

-- Runs as the gate: the caller may not see the holds of others.
create function scheduling.keep_holds_few() returns trigger
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

comment on function scheduling.keep_holds_few() is
    'Trigger, after a hold was inserted: fails on more than 500 unexpired holds of one organization, or more than 3 '
    'of one customer. Offers to the waitlist do not count.';

-- The role that makes a trigger must be allowed to call its function.
grant execute on function scheduling.keep_holds_few() to appointd_owner;
reset role;
revoke create on schema scheduling from appointd_gate;

create trigger keep_few after insert on scheduling.holds
for each row when (new.waitlist_entry_id is null) execute function scheduling.keep_holds_few();
