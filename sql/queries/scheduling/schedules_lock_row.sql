-- $1 tenant_id, $2 provider id
select provider_id
from scheduling.schedules
where tenant_id = $1 and provider_id = $2
for no key update
