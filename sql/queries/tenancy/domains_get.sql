-- $1 tenant_id, $2 id
select id, domain, challenge, verified_at, created_at
from tenancy.domains
where tenant_id = $1 and id = $2
