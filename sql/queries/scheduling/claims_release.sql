-- $1 tenant_id, $2 appointment ids: the claims and segments they had, to be made anew in the same transaction
with freed as (
    delete from scheduling.claims
    where tenant_id = $1 and appointment_id = any ($2)
)
delete from scheduling.appointment_segments
where tenant_id = $1 and appointment_id = any ($2)
