-- $1 tenant_id, $2 account id
select account_id
from tenancy.members
where tenant_id = $1 and account_id = $2
for no key update
