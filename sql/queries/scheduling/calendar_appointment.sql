-- $1 tenant_id, $2 appointment id
--
-- A guest does not see a service or a provider that is not offered online any more; the appointment stands all the same.
select
    o.name as feed_name, a.id, a.starts_at, a.ends_at, a.status, a.sequence + coalesce(s.renames, 0) as sequence, a.created_at,
    greatest(a.updated_at, s.renamed_at, p.renamed_at) as updated_at, o.updated_at as organization_updated_at,
    coalesce(s.name, o.name) as service_name, coalesce(p.name, o.name) as provider_name, null::text as contact_name,
    o.time_zone
from scheduling.appointments as a
join tenancy.organizations as o on o.id = $1
left join scheduling.services as s on s.tenant_id = $1 and s.id = a.service_id
left join scheduling.providers as p on p.tenant_id = $1 and p.id = a.provider_id
where a.tenant_id = $1 and a.id = $2
