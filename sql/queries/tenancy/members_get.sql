-- $1 tenant_id, $2 account id
select
    m.account_id, a.email, a.full_name, m.role, m.status, m.created_at,
    greatest(m.updated_at, a.named_at) as updated_at
from tenancy.members as m
join identity.accounts as a on a.id = m.account_id
where m.tenant_id = $1 and m.role <> 'customer' and m.account_id = $2
