-- $1 tenant_id, $2 last id of the page before, or the nil UUID, $3 row limit
select id, first_name, last_name, email, phone, account_id, created_at, updated_at
from crm.contacts
where tenant_id = $1 and id > $2
order by id
limit $3
