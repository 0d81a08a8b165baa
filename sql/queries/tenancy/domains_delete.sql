-- $1 tenant_id, $2 id
with gone as (
    delete from tenancy.domains
    where tenant_id = $1 and id = $2
    returning id, domain
),
freed as (
    delete from tenancy.verified_domains
    where organization_id = $1 and domain in (select domain from gone)
)
select id
from gone
