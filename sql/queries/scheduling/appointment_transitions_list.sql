-- $1 tenant_id, $2 appointment id, $3 last id of the page before, or the nil UUID, $4 row limit,
-- $5 ids or null for any
select id, action, from_status, to_status, from_starts_at, from_provider_id, occurred_at, actor_id, actor_role, reason
from scheduling.appointment_transitions
where tenant_id = $1 and appointment_id = $2 and id > $3 and (id = any ($5) or $5 is null)
order by id
limit $4
