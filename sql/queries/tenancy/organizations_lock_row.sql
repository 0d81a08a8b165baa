-- $1 tenant_id
select id
from tenancy.organizations
where id = $1
for no key update
