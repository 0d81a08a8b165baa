-- $1 tenant_id, $2 account id
select a.id, a.email, a.full_name, m.role, m.tenant_id
from identity.accounts as a
join tenancy.members as m on m.tenant_id = $1 and m.account_id = a.id
where a.id = $2
