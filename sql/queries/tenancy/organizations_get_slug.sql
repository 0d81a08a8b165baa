-- $1 tenant_id
select slug
from tenancy.organizations
where id = $1
