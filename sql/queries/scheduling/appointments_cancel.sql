-- $1 tenant_id, $2 id, $3 reason or null, $4 account that cancels, $5 now
--
-- No row: there is no such appointment, or it is not confirmed. The time is free in the same instant.
with cancelled as (
    update scheduling.appointments
    set
        status = 'cancelled',
        cancellation_reason = $3,
        cancelled_by = $4,
        cancelled_at = $5,
        updated_at = $5
    where tenant_id = $1 and id = $2 and status = 'confirmed'
    returning
        id, service_id, provider_id, contact_id, starts_at, ends_at, status, note,
        cancellation_reason, cancelled_at, cancelled_by, created_at, created_by, updated_at
),
freed as (
    delete from scheduling.claims
    where tenant_id = $1 and appointment_id in (select id from cancelled)
)
select
    id, service_id, provider_id, contact_id, starts_at, ends_at, status, note,
    cancellation_reason, cancelled_at, cancelled_by, created_at, created_by, updated_at
from cancelled
