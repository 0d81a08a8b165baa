-- $1 tenant_id, $2 id, $3 name, $4 active; null leaves a value
update scheduling.providers
set
    name = coalesce($3, name),
    active = coalesce($4, active),
    updated_at = now()
where tenant_id = $1 and id = $2
returning id, name, active, created_at, updated_at
