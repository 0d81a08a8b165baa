-- $1 tenant_id, $2 id
delete from work.tasks
where tenant_id = $1 and id = $2
returning id
