-- $1 tenant_id, $2 id
--
-- No row: the domain leads to another organization.
with wanted as (
    select domain
    from tenancy.domains
    where tenant_id = $1 and id = $2
),
claimed as (
    insert into tenancy.verified_domains (domain)
    select domain from wanted
    on conflict (domain) do nothing
    returning domain
)
update tenancy.domains
set verified_at = now()
where
    tenant_id = $1
    and id = $2
    and (
        domain in (select domain from claimed)
        or domain in (select v.domain from tenancy.verified_domains as v where v.organization_id = $1)
    )
returning id, domain, challenge, verified_at, created_at
