-- $1 tenant_id, $2 last id of the page before, or the nil UUID, $3 row limit, $4 updated at or after, or null, $5
-- ids or null for any, $6 whether active, or null for either, $7 external id, or null
select
    p.id, p.name, p.active, p.max_per_day, p.max_per_week, p.account_id, p.external_id, p.metadata,
    p.created_at, p.updated_at,
    (
        select r.account_id from scheduling.provider_link_requests as r where r.tenant_id = $1 and r.provider_id = p.id
    ) as requested_account_id
from scheduling.providers as p
where
    p.tenant_id = $1 and p.id > $2 and (p.updated_at >= $4 or $4 is null) and (p.id = any ($5) or $5 is null)
    and (p.active = $6 or $6 is null) and (p.external_id = $7 or $7 is null)
order by p.id
limit $3
