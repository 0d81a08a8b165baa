-- $1 tenant_id, $2 appointment ids; the claims and segments they had, to be made anew in the same transaction
with freed as (
    delete from scheduling.claims as c
    where c.tenant_id = $1 and c.appointment_id = any ($2)
    returning c.resource_id, c.service_id, c.serves_at, c.starts_at, c.ends_at, c.group_key, c.seat, c.capacity
),
segment as (
    delete from scheduling.appointment_segments
    where tenant_id = $1 and appointment_id = any ($2)
)
select coalesce(jsonb_agg(to_jsonb(f)), '[]') as freed
from freed as f
join scheduling.resources as r on r.tenant_id = $1 and r.id = f.resource_id
where r.kind <> 'contact'
