-- $1 tenant_id, $2 account id, $3 role, $4 status; null keeps a value
with changed as (
    update tenancy.members as m
    set role = coalesce($3, m.role), status = coalesce($4, m.status), updated_at = now()
    where m.tenant_id = $1 and m.account_id = $2 and m.role <> 'customer'
    returning m.account_id, m.role, m.status, m.created_at, m.updated_at
)
select m.account_id, a.email, a.full_name, m.role, m.status, m.created_at, m.updated_at
from changed as m
join identity.accounts as a on a.id = m.account_id
