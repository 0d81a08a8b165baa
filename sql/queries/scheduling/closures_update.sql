-- $1 tenant_id, $2 id, $3 first day, $4 last day, $5 name; null keeps a value
update scheduling.closures
set
    starts_on = coalesce($3, starts_on),
    ends_on = coalesce($4, ends_on),
    name = coalesce($5, name),
    updated_at = now()
where tenant_id = $1 and id = $2
returning id, starts_on, ends_on, name, created_at, updated_at
