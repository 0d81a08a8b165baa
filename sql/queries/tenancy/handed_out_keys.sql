-- $1 tenant_id, $2 account
select id, name, role, scopes, expires_at, last_used_at, revoked_at, created_at, created_by
from tenancy.api_keys
where tenant_id = $1 and created_by = $2 and revoked_at is null and (expires_at is null or expires_at > now())
order by id
limit 100
