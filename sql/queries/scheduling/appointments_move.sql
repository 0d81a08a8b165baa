-- $1 tenant_id, $2 appointments with their new values, $3 their claims (arrays of objects), $4 transition ids,
-- one each, $5 reschedule or swap, $6 reason or null
--
-- Moves appointments whose old claims and segments are already deleted (claims_release.sql). Fails with
-- claims_no_overlap or shared_claims_no_overlap if time is taken.
with move as (
    select m.id, m.provider_id, m.starts_at, m.ends_at, m.overridden, m.seat, m.status, m.transition_id
    from
        rows from (
            jsonb_to_recordset($2) as (
                id uuid, provider_id uuid, starts_at timestamptz, ends_at timestamptz, overridden boolean,
                seat smallint, status text
            ),
            unnest($4::uuid[])
        ) as m (id, provider_id, starts_at, ends_at, overridden, seat, status, transition_id)
),
noted as (
    insert into scheduling.appointment_transitions (
        appointment_id, id, action, from_status, to_status, from_starts_at, from_provider_id, reason
    )
    select a.id, m.transition_id, $5, a.status, coalesce(m.status, a.status), a.starts_at, a.provider_id, $6
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
    updated_at = now()
from move as m
where a.tenant_id = $1 and a.id = m.id and (select scheduling.take_time($1, $3))
returning
    a.id, a.service_id, a.provider_id, a.contact_id, a.starts_at, a.ends_at, a.status, a.note, a.cancellation_reason,
    a.cancelled_at, a.cancelled_by, a.cancelled_by_kind, a.created_at, a.created_by, a.updated_at, a.sequence,
    a.overridden, a.series_id, a.occurrence, a.seat, a.visit, a.external_id, a.metadata
