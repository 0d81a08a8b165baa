-- $1 tenant_id
select time_zone
from tenancy.organizations
where id = $1
