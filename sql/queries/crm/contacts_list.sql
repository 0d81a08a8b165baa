-- $1 tenant_id, $2 last id of the page before, or the nil UUID, $3 row limit, $4 updated at or after, or null, $5
-- ids and $6 external id, or null for any
select id, first_name, last_name, email, phone, account_id, external_id, metadata, created_at, updated_at
from crm.contacts
where
    tenant_id = $1 and id > $2 and (updated_at >= $4 or $4 is null) and (id = any ($5) or $5 is null)
    and (external_id = $6 or $6 is null)
order by id
limit $3
