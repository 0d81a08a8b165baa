-- $1 id, $2 name, $3 SHA-256 of the secret, $4 role, $5 scopes, $6 expires at or null
insert into tenancy.api_keys (id, name, secret_hash, role, scopes, expires_at)
values ($1, $2, $3, $4, $5, $6)
returning id, name, role, scopes, expires_at, last_used_at, revoked_at, created_at, created_by
