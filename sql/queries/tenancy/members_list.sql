-- $1 tenant_id, $2 after this account id, $3 row limit, $4 updated at or after, or null, $5 account ids or
-- null for any
select
    m.account_id, a.email, a.full_name, m.role, m.status, m.created_at,
    greatest(m.updated_at, a.named_at) as updated_at
from tenancy.members as m
join identity.accounts as a on a.id = m.account_id
where m.tenant_id = $1 and m.role <> 'customer' and m.account_id > $2
    and (greatest(m.updated_at, a.named_at) >= $4 or $4 is null)
    and (m.account_id = any ($5) or $5 is null)
order by m.account_id
limit $3
