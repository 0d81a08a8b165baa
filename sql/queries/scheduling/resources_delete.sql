-- $1 tenant_id, $2 id
delete from scheduling.resources
where tenant_id = $1 and id = $2 and kind in ('room', 'equipment')
returning id
