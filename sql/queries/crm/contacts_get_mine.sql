-- $1 tenant_id, $2 account of the customer
select id
from crm.contacts
where tenant_id = $1 and account_id = $2
order by created_at, id
limit 1
