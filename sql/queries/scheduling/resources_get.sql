-- $1 tenant_id, $2 id
select id, kind, name, active, created_at, updated_at
from scheduling.resources
where tenant_id = $1 and id = $2 and kind in ('room', 'equipment')
