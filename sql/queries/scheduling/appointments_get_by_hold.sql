-- $1 tenant_id, $2 hold id; the appointment that was created from the hold
select
    id, service_id, provider_id, contact_id, starts_at, ends_at, status, note, cancellation_reason,
    cancelled_at, cancelled_by, cancelled_by_kind, created_at, created_by, updated_at, sequence, overridden,
    series_id, occurrence, seat, visit, external_id, metadata
from scheduling.appointments
where tenant_id = $1 and hold_id = $2
