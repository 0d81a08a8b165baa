-- $1 tenant_id, $2 id; the provider and its schedule go with the resource
delete from scheduling.resources
where tenant_id = $1 and id = $2 and kind = 'provider'
returning id
