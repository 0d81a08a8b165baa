-- $1 tenant_id, $2 id
select id, first_name, last_name, email, phone, account_id, external_id, metadata, created_at, updated_at
from crm.contacts
where tenant_id = $1 and id = $2
