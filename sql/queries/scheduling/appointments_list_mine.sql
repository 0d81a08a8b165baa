-- $1 tenant_id, $2 account of the customer, $3 and $4 start and id after which, $5 and $6 start and id before which the
-- page lies, $7 row limit, $8 whether the latest come first, $9 ids or null for any
select id, service_id, provider_id, starts_at, ends_at, status
from scheduling.appointments
where
    tenant_id = $1
    and contact_id in (select c.id from crm.contacts as c where c.tenant_id = $1 and c.account_id = $2)
    and (starts_at, id) > ($3, $4)
    and (starts_at, id) < ($5, $6)
    and (id = any ($9) or $9 is null)
order by
    case when $8 then starts_at end desc,
    case when $8 then id end desc,
    case when not $8 then starts_at end,
    case when not $8 then id end
limit $7
