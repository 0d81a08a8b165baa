-- $1 tenant_id, $2 appointments with their new values, $3 their claims, $4 their segments (arrays of objects),
-- $5 transition ids, one each, $6 reschedule or swap, $7 now, $8 reason or null
--
-- Moves appointments whose old claims are already deleted (claims_release.sql). Returns no row if some time is taken;
-- roll back then.
with claim as (
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
),
move as (
    select m.id, m.provider_id, m.starts_at, m.ends_at, m.overridden, m.seat, m.status, m.transition_id
    from
        rows from (
            jsonb_to_recordset($2) as (
                id uuid, provider_id uuid, starts_at timestamptz, ends_at timestamptz, overridden boolean,
                seat smallint, status text
            ),
            unnest($5::uuid[])
        ) as m (id, provider_id, starts_at, ends_at, overridden, seat, status, transition_id)
),
noted as (
    insert into scheduling.appointment_transitions (
        appointment_id, id, action, from_status, to_status, from_starts_at, from_provider_id, reason
    )
    select a.id, m.transition_id, $6, a.status, coalesce(m.status, a.status), a.starts_at, a.provider_id, $8
    from move as m
    join scheduling.appointments as a on a.tenant_id = $1 and a.id = m.id
)
update scheduling.appointments as a
set
    provider_id = m.provider_id,
    starts_at = m.starts_at,
    ends_at = m.ends_at,
    overridden = a.overridden or m.overridden,
    seat = m.seat,
    status = coalesce(m.status, a.status),
    sequence = a.sequence + 1,
    updated_at = $7
from move as m
where a.tenant_id = $1 and a.id = m.id and (select whole from taken)
returning
    a.id, a.service_id, a.provider_id, a.contact_id, a.starts_at, a.ends_at, a.status, a.note, a.cancellation_reason,
    a.cancelled_at, a.cancelled_by, a.cancelled_by_kind, a.created_at, a.created_by, a.updated_at, a.sequence,
    a.overridden, a.series_id, a.occurrence, a.seat, a.visit
