-- $1 tenant_id, $2 status or null for any, $3 starts before, $4 after this start and $5 id, $6 row limit, $7 contact id, $8 provider id or null for any
select
    id, service_id, provider_id, contact_id, starts_at, ends_at, status, note,
    cancellation_reason, cancelled_at, cancelled_by, created_at, created_by, updated_at
from scheduling.appointments
where
    tenant_id = $1
    and contact_id = $7
    and (provider_id = $8 or $8 is null)
    and (status = $2 or $2 is null)
    and starts_at < $3
    and (starts_at, id) > ($4, $5)
order by starts_at, id
limit $6
