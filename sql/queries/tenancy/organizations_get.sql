-- $1 tenant_id
select id, name, slug, time_zone, created_at, updated_at
from tenancy.organizations
where id = $1
