-- $1 tenant_id, $2 id
select id, name, active, created_at, updated_at
from scheduling.providers
where tenant_id = $1 and id = $2
