-- $1 tenant_id, $2 ids: every entry was asked
delete from scheduling.freed_time
where tenant_id = $1 and id = any ($2)
