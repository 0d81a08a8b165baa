-- $1 tenant_id, $2 after this id, $3 row limit, $4 ids and $5 updated at or after, or null for any
select d.id, d.domain, d.challenge, d.verified_at, d.created_at, v.missing_since
from tenancy.domains as d
left join tenancy.verified_domains as v on v.domain = d.domain and v.organization_id = $1
where d.tenant_id = $1 and d.id > $2 and (d.id = any ($4) or $4 is null)
    and (d.updated_at >= $5 or $5 is null)
order by d.id
limit $3
