-- $1 tenant_id, $2 appointments, $3 their claims, $4 their segments (arrays of objects), $5 contact whose time is
-- claimed, or null
--
-- Creates the appointments, all or none: returns no row if a claim is taken. If the other claims were inserted, the
-- appointment that they refer to is missing, and claims_appointment_fkey fails the statement and the transaction. Waits
-- for a concurrent transaction that takes the time.
with contact as (
    insert into scheduling.resources (id, kind)
    select $5::uuid, 'contact'
    where $5 is not null
    on conflict do nothing
),
claim as (
    insert into scheduling.claims (
        id, appointment_id, resource_id, service_id, serves_at, serves_until, starts_at, ends_at, group_key, seat,
        capacity
    )
    select
        c.id, c.owner_id, c.resource_id, c.service_id, c.serves_at, c.serves_until, c.starts_at, c.ends_at, c.group_key,
        c.seat, c.capacity
    from
        jsonb_to_recordset($3) as c (
            id uuid, owner_id uuid, resource_id uuid, service_id uuid, serves_at timestamptz, serves_until timestamptz,
            starts_at timestamptz, ends_at timestamptz, group_key uuid, seat smallint, capacity smallint
        )
    order by c.resource_id, c.starts_at
    on conflict do nothing
    returning id, resource_id, starts_at, ends_at
),
person as (
    select c.id, c.starts_at, c.ends_at, p.id as provider_id, p.account_id
    from claim as c
    join scheduling.providers as p on p.tenant_id = $1 and p.id = c.resource_id
    where p.account_id is not null
),
shared as (
    insert into scheduling.shared_claims (claim_id, provider_id, account_id, starts_at, ends_at)
    select id, provider_id, account_id, starts_at, ends_at
    from person
    order by account_id, starts_at
    on conflict do nothing
    returning 1
),
taken as (
    select
        (select count(*) from claim) = jsonb_array_length($3)
        and (select count(*) from shared) = (select count(*) from person) as whole
),
segment as (
    insert into scheduling.appointment_segments (appointment_id, position, service_id, provider_id, starts_at, ends_at)
    select s.appointment_id, s.position, s.service_id, s.provider_id, s.starts_at, s.ends_at
    from
        jsonb_to_recordset($4) as s (
            appointment_id uuid, position smallint, service_id uuid, provider_id uuid, starts_at timestamptz,
            ends_at timestamptz
        )
    where (select whole from taken)
)
insert into scheduling.appointments (
    id, service_id, provider_id, contact_id, starts_at, ends_at, status, note, overridden, series_id, occurrence, visit,
    seat, guest_key
)
select
    a.id, a.service_id, a.provider_id, a.contact_id, a.starts_at, a.ends_at, a.status, a.note, a.overridden,
    a.series_id, a.occurrence, a.visit, a.seat, a.guest_key
from
    jsonb_to_recordset($2) as a (
        id uuid, service_id uuid, provider_id uuid, contact_id uuid, starts_at timestamptz, ends_at timestamptz,
        status text,
        note text, overridden boolean, series_id uuid, occurrence smallint, visit boolean, seat smallint, guest_key uuid
    )
where (select whole from taken)
returning
    id, service_id, provider_id, contact_id, starts_at, ends_at, status, note, cancellation_reason,
    cancelled_at, cancelled_by, cancelled_by_kind, created_at, created_by, updated_at, sequence, overridden,
    series_id, occurrence, seat, visit
