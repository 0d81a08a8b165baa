-- $1 tenant_id, $2 service id, $3 requirements, $4 resource ids; parallel arrays
--
-- Replaces the required resources of a service, which changes the service. Returns whether all of them exist.
with wanted as (
    select r.requirement, r.resource_id, o.id is not null as known
    from unnest($3::smallint[], $4::uuid[]) as r (requirement, resource_id)
    left join scheduling.resources as o
        on o.tenant_id = $1 and o.id = r.resource_id and o.kind in ('room', 'equipment')
),
gone as (
    delete from scheduling.service_resources as s
    where
        s.tenant_id = $1 and s.service_id = $2
        and not exists (select from wanted as w where w.requirement = s.requirement and w.resource_id = s.resource_id)
    returning s.resource_id
),
added as (
    insert into scheduling.service_resources (service_id, requirement, resource_id)
    select $2, w.requirement, w.resource_id
    from wanted as w
    where w.known
    on conflict do nothing
    returning resource_id
),
touched as (
    update scheduling.services
    set updated_at = now()
    where tenant_id = $1 and id = $2 and (exists (select from gone) or exists (select from added))
)
select coalesce(bool_and(known), true) as known
from wanted
