-- $1 tenant_id, $2 accounts; those of them that are active members and not customers
select account_id
from tenancy.members
where tenant_id = $1 and account_id = any ($2) and status = 'active' and role <> 'customer'
