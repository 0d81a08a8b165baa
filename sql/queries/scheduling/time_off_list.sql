-- $1 tenant_id, $2 provider id, $3 last id of the page before, or the nil UUID, $4 row limit, $5 ids or
-- null for any, $6 from and $7 to, $8 updated at or after, or null; a row without an id if the provider has none
select t.id, p.id as provider_id, t.starts_at, t.ends_at, t.created_at, t.updated_at
from scheduling.providers as p
left join lateral (
    select o.id, o.starts_at, o.ends_at, o.created_at, o.updated_at
    from scheduling.time_off as o
    where o.tenant_id = $1 and o.provider_id = p.id and o.id > $3 and (o.id = any ($5) or $5 is null)
        and o.ends_at > $6 and o.starts_at < $7 and (o.updated_at >= $8 or $8 is null)
    order by o.id
    limit $4
) as t on true
where p.tenant_id = $1 and p.id = $2
order by t.id
