-- $1 tenant_id, $2 id
select
    p.id, p.name, p.active, p.max_per_day, p.max_per_week, p.account_id, p.external_id, p.metadata,
    p.created_at, p.updated_at,
    (
        select r.account_id from scheduling.provider_link_requests as r where r.tenant_id = $1 and r.provider_id = p.id
    ) as requested_account_id
from scheduling.providers as p
where p.tenant_id = $1 and p.id = $2
