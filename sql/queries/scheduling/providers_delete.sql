-- $1 tenant_id, $2 id; deletes the resource, and with it the provider and its schedule
delete from scheduling.resources
where tenant_id = $1 and id = $2 and kind = 'provider'
returning id
