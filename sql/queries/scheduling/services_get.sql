-- $1 tenant_id, $2 id
select id, name, description, duration_minutes, slot_step_minutes, active, created_at, updated_at
from scheduling.services
where tenant_id = $1 and id = $2
