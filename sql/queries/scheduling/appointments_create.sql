-- $1 id, $2 service id, $3 provider id, $4 contact id, $5 starts at, $6 ends at, $7 note or null, $8 claim id
--
-- No row: the time is taken. Waits for a transaction that is about to take it, and then knows.
with claim as (
    insert into scheduling.claims (id, resource_id, appointment_id, starts_at, ends_at)
    values ($8, $3, $1, $5, $6)
    on conflict on constraint claims_no_overlap do nothing
    returning appointment_id
)
insert into scheduling.appointments (id, service_id, provider_id, contact_id, starts_at, ends_at, note)
select claim.appointment_id, $2, $3, $4, $5, $6, $7
from claim
returning
    id, service_id, provider_id, contact_id, starts_at, ends_at, status, note,
    cancellation_reason, cancelled_at, cancelled_by, created_at, created_by, updated_at
