-- $1 tenant_id, $2 id
select id, starts_on, ends_on, name, created_at, updated_at
from scheduling.closures
where tenant_id = $1 and id = $2
