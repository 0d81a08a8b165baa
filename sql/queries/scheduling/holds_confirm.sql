-- $1 tenant_id, $2 hold id, $3 appointment id, $4 contact id, $5 the claim on the contact's own time (an array of
-- objects; empty if its time is not claimed), $6 status, $7 note or null, $8 seat or null, $9 guest key or null
--
-- Turns the hold into an appointment, which takes over its claims. Fails with claims_no_overlap if the contact's own
-- time is taken; nothing else can prevent it.
with made as (
    insert into scheduling.appointments (
        id, service_id, provider_id, contact_id, starts_at, ends_at, status, note, overridden, seat, guest_key, hold_id
    )
    select $3, h.service_id, h.provider_id, $4, h.starts_at, h.ends_at, $6, $7, h.overridden, $8, $9, h.id
    from scheduling.holds as h
    where h.tenant_id = $1 and h.id = $2
    returning
        id, service_id, provider_id, contact_id, starts_at, ends_at, status, note, cancellation_reason,
        cancelled_at, cancelled_by, cancelled_by_kind, created_at, created_by, updated_at, sequence, overridden,
        series_id, occurrence, seat, visit, external_id, metadata
),
kept as (
    update scheduling.claims
    set appointment_id = $3, hold_id = null, expires_at = null
    where tenant_id = $1 and hold_id = $2
)
select
    id, service_id, provider_id, contact_id, starts_at, ends_at, status, note, cancellation_reason,
    cancelled_at, cancelled_by, cancelled_by_kind, created_at, created_by, updated_at, sequence, overridden,
    series_id, occurrence, seat, visit, external_id, metadata
from made
where (select scheduling.take_time($1, $5) from made having count(*) > 0)
