-- $1 tenant_id, $2 id
select
    id, service_id, provider_id, contact_id, starts_at, ends_at, status, note,
    cancellation_reason, cancelled_at, cancelled_by, created_at, created_by, updated_at
from scheduling.appointments
where tenant_id = $1 and id = $2
