-- $1 tenant_id, $2 id
update tenancy.api_keys
set revoked_at = coalesce(revoked_at, now())
where tenant_id = $1 and id = $2
returning id, name, role, scopes, expires_at, last_used_at, revoked_at, created_at, created_by
