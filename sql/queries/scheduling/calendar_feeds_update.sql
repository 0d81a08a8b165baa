-- $1 tenant_id, $2 id, $3 name; null keeps it
update scheduling.calendar_feeds
set name = coalesce($3, name), updated_at = now()
where tenant_id = $1 and id = $2
returning id, provider_id, name, created_at, created_by
