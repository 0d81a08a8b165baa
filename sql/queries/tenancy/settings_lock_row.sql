-- $1 tenant_id
select tenant_id
from tenancy.settings
where tenant_id = $1
for no key update
