-- $1 tenant_id, $2 id; once its claims are an appointment's
delete from scheduling.holds
where tenant_id = $1 and id = $2
