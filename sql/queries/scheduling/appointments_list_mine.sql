-- $1 tenant_id, $2 account of the customer, $3 after this start and $4 id, $5 row limit, $6 starts
-- before
select id, service_id, provider_id, starts_at, ends_at, status
from scheduling.appointments
where
    tenant_id = $1
    and contact_id in (select c.id from crm.contacts as c where c.tenant_id = $1 and c.account_id = $2)
    and (starts_at, id) > ($3, $4)
    and starts_at < $6
order by starts_at, id
limit $5
