-- $1 tenant_id, $2 appointment id, $3 claim ids
delete from scheduling.claims
where tenant_id = $1 and appointment_id = $2 and id = any ($3)
