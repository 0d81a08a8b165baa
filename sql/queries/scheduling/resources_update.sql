-- $1 tenant_id, $2 id, $3 name, $4 active; null keeps a value
update scheduling.resources
set name = coalesce($3, name), active = coalesce($4, active), updated_at = now()
where tenant_id = $1 and id = $2 and kind in ('room', 'equipment')
returning id, kind, name, active, created_at, updated_at
