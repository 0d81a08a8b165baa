-- $1 tenant_id, $2 ids; deletes the rows, because every entry was tried
delete from scheduling.freed_time
where tenant_id = $1 and id = any ($2)
