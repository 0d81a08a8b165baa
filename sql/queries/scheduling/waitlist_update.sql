-- $1 tenant_id, $2 id, $3 status, $4 appointment id or null, $5 statuses that allow the change
update scheduling.waitlist_entries
set status = $3, appointment_id = $4, updated_at = now()
where tenant_id = $1 and id = $2 and status = any ($5)
returning id
