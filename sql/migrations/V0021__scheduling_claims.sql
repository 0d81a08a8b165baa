-- Claims: the time of a resource that is taken, by an appointment or by a hold. The exclusion constraint on claims,
-- and nothing else, decides who gets a slot: two transactions that want overlapping time of one resource wait for each
-- other there. One function inserts them: scheduling.take_time.

create table scheduling.claims (
    tenant_id uuid not null default app.tenant(),
    id uuid not null,
    resource_id uuid not null,
    appointment_id uuid,
    starts_at timestamptz not null,
    ends_at timestamptz not null,
    during tstzrange not null generated always as (tstzrange(starts_at, ends_at, '[)')) stored,
    hold_id uuid,
    service_id uuid,
    service_starts_at timestamptz,
    service_ends_at timestamptz,
    expires_at timestamptz,
    group_key uuid,
    seat smallint not null default 1,
    capacity smallint not null default 1,
    kind text not null generated always as (case when hold_id is null then 'appointment' else 'hold' end) stored,
    -- The claims of one group session of a resource share one group_session_id and one range; every other claim has
    -- its own.
    group_session_id uuid not null generated always as (
        case
            when group_key is null then id
            else md5(
                group_key::text
                || extract(epoch from starts_at - timestamptz '1970-01-01 00:00:00+00')::text
                || '/' || extract(epoch from ends_at - starts_at)::text
            )::uuid
        end
    ) stored,
    constraint claims_pkey primary key (tenant_id, id),
    constraint claims_resource_fkey foreign key (tenant_id, resource_id)
        references scheduling.resources (tenant_id, id),
    constraint claims_appointment_fkey foreign key (tenant_id, appointment_id)
        references scheduling.appointments (tenant_id, id),
    constraint claims_hold_fkey foreign key (tenant_id, hold_id)
        references scheduling.holds (tenant_id, id) on delete cascade,
    constraint claims_service_fkey foreign key (tenant_id, service_id) references scheduling.services (tenant_id, id),
    constraint claims_owner check (num_nonnulls(appointment_id, hold_id) = 1),
    -- An empty or unbounded range would slip past the exclusion constraint, or block everything.
    constraint claims_time check (
        isfinite(starts_at) and isfinite(ends_at) and starts_at < ends_at and ends_at - starts_at <= interval '24 hours'
    ),
    constraint claims_seat check (seat >= 1 and seat <= capacity and (capacity > 1) = (group_key is not null)),
    constraint claims_no_overlap exclude using gist (
        tenant_id with =, resource_id with =, during with &&, group_session_id with <>
    )
)
-- Rows change all day: vacuum after 2 % of them, not 20 %.
-- Every booking visits the dead claims that are still in the index of the constraint.
with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

comment on table scheduling.claims is
    'Time of a resource that is taken, by an appointment or a hold. Everything that takes time is a row here.';
comment on column scheduling.claims.id is 'UUIDv7, made by the server.';
comment on column scheduling.claims.resource_id is 'The resource whose time is taken.';
comment on column scheduling.claims.appointment_id is 'The appointment that takes it. Cancelling deletes the claim.';
comment on column scheduling.claims.starts_at is 'First instant taken.';
comment on column scheduling.claims.ends_at is
    'First instant after it, at most 24 hours later: queries may look back that far and no further.';
comment on column scheduling.claims.during is
    'starts_at to ends_at, half-open, so that appointments may be adjacent. For the constraint alone: no index serves '
    '&& under a policy.';
comment on column scheduling.claims.hold_id is
    'The hold that takes it. Confirming the hold passes the claim to the appointment.';
comment on column scheduling.claims.service_id is
    'For a provider: the service performed in this time. Null for rooms, equipment and contacts.';
comment on column scheduling.claims.service_starts_at is
    'For a provider: the start that the customer sees, without buffers. Limits count by it.';
comment on column scheduling.claims.service_ends_at is
    'For a provider: the end that the customer sees, without buffers. A group session keeps it when its service '
    'changes.';
comment on column scheduling.claims.expires_at is
    'For a hold: the instant from which the claim counts for nothing. Null: it does not expire.';
comment on column scheduling.claims.group_key is
    'For a group session: identifies service and provider. Null: the time is for one appointment.';
comment on column scheduling.claims.seat is
    'For a group session: number of the seat. Unique, so that no session has more seats than its capacity.';
comment on column scheduling.claims.capacity is
    'For a group session: number of seats of the service at the time of booking; otherwise 1.';
comment on column scheduling.claims.kind is 'What takes the time: appointment or hold.';
comment on column scheduling.claims.group_session_id is
    'Claims with the same group_session_id may overlap: those of one group session, which have the same range. '
    'Otherwise the id of the claim.';
comment on constraint claims_no_overlap on scheduling.claims is
    'No two claims of a resource overlap, unless they are seats of one group session. scheduling.take_time inserts '
    'claims: a plain insert can deadlock with another.';

-- Serves reading busy times: starts_at and ends_at are index conditions under the policies, during && … is not.
create index claims_time_idx on scheduling.claims (tenant_id, resource_id, starts_at, ends_at);
-- Cancelling looks for the claims of an appointment.
create index claims_appointment_idx on scheduling.claims (tenant_id, appointment_id);
create unique index claims_seat_key on scheduling.claims (tenant_id, resource_id, group_session_id, seat)
    where capacity > 1;
create index claims_hold_idx on scheduling.claims (tenant_id, hold_id) where hold_id is not null;
-- Deleting a service looks for its claims.
create index claims_service_idx on scheduling.claims (tenant_id, service_id, service_starts_at)
    where service_id is not null;

call app.build_wall('scheduling.claims', reads => 'viewer', inserts => 'staff', deletes => 'staff');

-- Confirming a hold passes its claims to the appointment. Completing an appointment early shortens them.
create policy staff_update on scheduling.claims as permissive for update to appointd_api
    using (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{staff,manager,admin,owner}'))
    )
    with check (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{staff,manager,admin,owner}'))
    );
call app.open_to('scheduling.claims', 'scheduler', 'select');
call app.open_to('scheduling.claims', 'scheduler', 'insert', 'hold_id is not null');

-- For policies; see crm.own_contacts.
create function scheduling.is_own(appointment uuid, hold uuid) returns boolean
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

comment on function scheduling.is_own(uuid, uuid) is
    'Whether the caller sees this appointment, or this hold and it has not expired. Guests and customers see their '
    'own.';

grant execute on function scheduling.is_own(uuid, uuid) to appointd_api;

-- Guests and customers see times and ids, not contacts. They take time for the appointment or the hold that they name,
-- if it is theirs.
call app.open_to('scheduling.claims', 'guest,customer', 'select');
call app.open_to(
    'scheduling.claims', 'guest,customer', 'insert',
    $$
    (select app.subject()) = any (array[appointment_id, hold_id])
    and scheduling.is_own(appointment_id, hold_id)
    $$
);
call app.open_to(
    'scheduling.claims', 'guest,customer', 'delete',
    $$
    appointment_id = (select app.subject())
    and scheduling.sees_appointment(appointment_id)
    $$
);

-- Confirming a hold, or accepting an offer, passes its claims to the appointment. The hold exists until that is done,
-- and its own policies say whose it is.
call app.open_to(
    'scheduling.claims', 'guest,customer', 'update',
    $$
    case
        when hold_id is null
            then appointment_id = (select app.subject())
        else true
    end
    and exists (
        select
        from scheduling.holds as h
        where
            h.tenant_id = claims.tenant_id
            and h.id = coalesce(claims.hold_id, h.id)
            and (select app.subject())
                = any (array[h.id, h.waitlist_entry_id])
    )
    $$
);
call app.admit('scheduling.claims', 'appointd_gate', array['select', 'delete']);
call app.admit('scheduling.claims', 'appointd_owner', array['all']);

grant
    select,
    insert (
        id, resource_id, appointment_id, starts_at, ends_at, hold_id, service_id, service_starts_at, service_ends_at,
        expires_at, group_key, seat, capacity
    ),
    update (appointment_id, ends_at, hold_id, expires_at),
    delete
on scheduling.claims to appointd_api;
grant select (tenant_id, id, resource_id, starts_at, ends_at, hold_id), delete on scheduling.claims to appointd_gate;


-- A person who is a provider of several organizations is in one place at a time. Their claims are listed here once
-- more under their account, in whole quarters of an hour, with a constraint across tenants: constraints are checked
-- below the policies, so another organization finds out in which quarters the person is busy, and nothing else. Each
-- row belongs to the organization that booked.
create table scheduling.shared_claims (
    tenant_id uuid not null default app.tenant(),
    claim_id uuid not null,
    provider_id uuid not null,
    account_id uuid,
    starts_at timestamptz not null,
    ends_at timestamptz not null,
    -- Rounded outwards to whole quarters of an hour: the exact start and end belong to the booking organization alone.
    during tstzrange not null generated always as (
        tstzrange(
            to_timestamp(floor(extract(epoch from starts_at - timestamptz '1970-01-01 00:00:00+00') / 900) * 900),
            to_timestamp(ceil(extract(epoch from ends_at - timestamptz '1970-01-01 00:00:00+00') / 900) * 900),
            '[)'
        )
    ) stored,
    constraint shared_claims_pkey primary key (tenant_id, claim_id),
    constraint shared_claims_claim_fkey foreign key (tenant_id, claim_id)
        references scheduling.claims (tenant_id, id) on delete cascade,
    -- The account is that of the provider. Unlinking the account sets it to null here, and null overlaps nothing.
    constraint shared_claims_person_fkey foreign key (tenant_id, provider_id, account_id)
        references scheduling.providers (tenant_id, id, account_id) on update cascade,
    constraint shared_claims_time check (
        isfinite(starts_at) and isfinite(ends_at) and starts_at < ends_at and ends_at - starts_at <= interval '24 hours'
    ),
    -- Within one tenant claims_no_overlap decides, to the minute.
    constraint shared_claims_no_overlap exclude using gist (account_id with =, during with &&, tenant_id with <>)
)
-- Rows change all day: vacuum after 2 % of them, not 20 %.
with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

comment on table scheduling.shared_claims is 'The claims on providers who have an account, listed under that account.';
comment on column scheduling.shared_claims.claim_id is 'The claim.';
comment on column scheduling.shared_claims.provider_id is 'The provider that the person is in that organization.';
comment on column scheduling.shared_claims.account_id is 'The person; null: no longer that provider.';
comment on column scheduling.shared_claims.starts_at is 'First instant taken.';
comment on column scheduling.shared_claims.ends_at is 'First instant after it.';
comment on column scheduling.shared_claims.during is
    'starts_at to ends_at in whole quarters of an hour, half-open: all that another organization can find out.';
comment on constraint shared_claims_no_overlap on scheduling.shared_claims is
    'No person is booked by two organizations within one quarter of an hour. Across tenants on purpose: it is the '
    'only thing that they share.';

create index shared_claims_person_idx on scheduling.shared_claims (account_id, starts_at);
-- Includes the account: changing the account of a provider updates the rows that refer to it.
create index shared_claims_provider_idx on scheduling.shared_claims (tenant_id, provider_id, account_id);

-- The door: the gate reads when a person is busy elsewhere (scheduling.busy_elsewhere).
call app.build_wall(
    'scheduling.shared_claims', reads => 'staff', inserts => 'staff', updates => 'staff',
    door => $$(select current_user) = 'appointd_gate'$$
);
call app.open_to('scheduling.shared_claims', 'scheduler', 'insert');
call app.open_to(
    'scheduling.shared_claims', 'guest,customer', 'insert',
    $$
    exists (
        select
        from scheduling.claims as c
        where
            c.tenant_id = shared_claims.tenant_id and c.id = shared_claims.claim_id
            and (select app.subject())
                = any (array[c.appointment_id, c.hold_id])
    )
    $$
);
call app.admit('scheduling.shared_claims', 'appointd_gate', array['insert', 'delete']);
create policy gate_select on scheduling.shared_claims as permissive for select to appointd_gate using (true);
call app.admit('scheduling.shared_claims', 'appointd_owner', array['all']);

grant select, insert (claim_id, provider_id, account_id, starts_at, ends_at), update (ends_at)
on scheduling.shared_claims to appointd_api;
grant
    select (tenant_id, claim_id, provider_id, account_id, starts_at, during),
    insert (claim_id, provider_id, account_id, starts_at, ends_at),
    delete
on scheduling.shared_claims to appointd_gate;


-- The one place that takes time. An insert into an exclusion constraint can deadlock with another; on conflict do
-- nothing waits for the other transaction instead, and then inserts no row. A missing row fails the statement as the
-- insert would, with the name of the constraint: all of the time is taken, or none.
--
-- What the claims are for has to be there: insert the appointment or the hold first, and call this with what its insert
-- returned. Runs with the rights and the policies of its caller.
create function scheduling.take_time(
    organization uuid, wanted jsonb, held boolean default false, expiry timestamptz default null
)
returns boolean
language plpgsql volatile
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

comment on function scheduling.take_time(uuid, jsonb, boolean, timestamptz) is
    'Inserts claims, and the shared claims of providers who have an account. wanted: an array of objects, named like '
    'the columns; owner_id is the appointment, of_contact says that it is a contact''s own time. held: owner_id is a '
    'hold, and expiry is when the claims expire. Returns true, or fails with 23P01 on claims_no_overlap (the time or '
    'the seat is taken) or shared_claims_no_overlap (another organization has booked the person).';

grant execute on function scheduling.take_time(uuid, jsonb, boolean, timestamptz) to appointd_api;
