-- $1 tenant_id, $2 appointment id, $3 transition id, $4 status to return to, $5 claims to take again (array of
-- objects), $6 now, $7 reason or null
--
-- Restores the status and the claims of an appointment. It is locked, and the rest of these claims is already deleted
-- (claims_delete.sql). Returns no row if some of the time was taken meanwhile; roll back then.
with claim as (
    insert into scheduling.claims (
        id, appointment_id, resource_id, service_id, serves_at, serves_until, starts_at, ends_at, group_key, seat,
        capacity
    )
    select
        c.id, $2, c.resource_id, c.service_id, c.serves_at, c.serves_until, c.starts_at, c.ends_at, c.group_key, c.seat,
        c.capacity
    from
        jsonb_to_recordset($5) as c (
            id uuid, resource_id uuid, service_id uuid, serves_at timestamptz, serves_until timestamptz,
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
        (select count(*) from claim) = jsonb_array_length($5)
        and (select count(*) from shared) = (select count(*) from person) as whole
),
noted as (
    insert into scheduling.appointment_transitions (appointment_id, id, action, from_status, to_status, reason)
    select a.id, $3, 'undo', a.status, $4, $7
    from scheduling.appointments as a
    where a.tenant_id = $1 and a.id = $2
)
update scheduling.appointments as a
set
    status = $4,
    -- A no-show takes no time in calendars.
    sequence = a.sequence + case when a.status = 'no_show' then 1 else 0 end,
    updated_at = $6
where a.tenant_id = $1 and a.id = $2 and (select whole from taken)
returning
    id, service_id, provider_id, contact_id, starts_at, ends_at, status, note, cancellation_reason,
    cancelled_at, cancelled_by, cancelled_by_kind, created_at, created_by, updated_at, sequence, overridden,
    series_id, occurrence, seat, visit
