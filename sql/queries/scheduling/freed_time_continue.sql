-- $1 tenant_id, $2 ids, $3 created_at and $4 id of the last entry that was tried
update scheduling.freed_time
set after_created_at = $3, after_entry_id = $4
where tenant_id = $1 and id = any ($2)
