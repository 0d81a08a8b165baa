-- $1 tenant_id, $2 after this id, $3 row limit, $4 ids and $5 updated at or after, or null for any
select id, name, role, scopes, expires_at, last_used_at, revoked_at, created_at, created_by
from tenancy.api_keys
where tenant_id = $1 and id > $2 and (id = any ($4) or $4 is null)
    and (updated_at >= $5 or $5 is null)
order by id
limit $3
