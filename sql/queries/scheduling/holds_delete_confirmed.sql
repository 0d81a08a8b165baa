-- $1 tenant_id, $2 id; deletes a hold whose claims belong to an appointment now
delete from scheduling.holds
where tenant_id = $1 and id = $2
