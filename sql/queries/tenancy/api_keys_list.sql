-- $1 tenant_id, $2 after this id, $3 row limit
select id, name, role, scopes, expires_at, last_used_at, revoked_at, created_at, created_by
from tenancy.api_keys
where tenant_id = $1 and id > $2
order by id
limit $3
