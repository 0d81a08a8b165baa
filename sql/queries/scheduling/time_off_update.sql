-- $1 tenant_id, $2 id, $3 starts at, $4 ends at; null keeps a value
update scheduling.time_off
set starts_at = coalesce($3, starts_at), ends_at = coalesce($4, ends_at), updated_at = now()
where tenant_id = $1 and id = $2
returning id, provider_id, starts_at, ends_at, created_at, updated_at
