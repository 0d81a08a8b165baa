-- $1 tenant_id, $2 id
delete from messaging.templates
where tenant_id = $1 and id = $2
returning id
