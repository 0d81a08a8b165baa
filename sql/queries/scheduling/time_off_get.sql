-- $1 tenant_id, $2 id
select id, provider_id, starts_at, ends_at, created_at, updated_at
from scheduling.time_off
where tenant_id = $1 and id = $2
