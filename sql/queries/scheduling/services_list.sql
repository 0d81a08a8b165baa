-- $1 tenant_id, $2 last id of the page before, or the nil UUID, $3 row limit, $4 updated at or after, or null, $5
-- ids or null for any, $6 whether active and $7 whether bookable online, or null for either, $8 external id, or null
select
    s.id, s.created_at, s.updated_at, to_jsonb(s) as rules,
    array(
        select p.provider_id
        from scheduling.service_providers as p
        where p.tenant_id = $1 and p.service_id = s.id
        order by 1
    ) as provider_ids,
    (
        select jsonb_agg(q.resource_ids order by q.requirement)
        from (
            select r.requirement, jsonb_agg(r.resource_id order by r.resource_id) as resource_ids
            from scheduling.service_resources as r
            where r.tenant_id = $1 and r.service_id = s.id
            group by r.requirement
        ) as q
    ) as required_resources
from scheduling.services as s
where
    s.tenant_id = $1 and s.id > $2 and (s.updated_at >= $4 or $4 is null) and (s.id = any ($5) or $5 is null)
    and (s.active = $6 or $6 is null) and (s.bookable_online = $7 or $7 is null)
    and (s.external_id = $8 or $8 is null)
order by s.id
limit $3
