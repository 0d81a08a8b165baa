-- $1 tenant_id, $2 appointment id, $3 contact id; deletes the claim on the contact's time
delete from scheduling.claims
where tenant_id = $1 and appointment_id = $2 and resource_id = $3
returning starts_at, ends_at
