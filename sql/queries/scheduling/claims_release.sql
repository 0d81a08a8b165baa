-- $1 tenant_id, $2 appointment ids; deletes their claims and segments, which the same transaction creates again
with freed as (
    delete from scheduling.claims
    where tenant_id = $1 and appointment_id = any ($2)
)
delete from scheduling.appointment_segments
where tenant_id = $1 and appointment_id = any ($2)
