-- $1 tenant_id, $2 appointment id
select
    o.name as feed_name, a.id, a.starts_at, a.ends_at, a.status, a.sequence + n.renames as sequence, a.created_at,
    greatest(a.updated_at, n.renamed_at) as updated_at, o.updated_at as organization_updated_at,
    n.service_name, n.provider_name, null::text as contact_name, o.time_zone
from scheduling.appointments as a
join tenancy.organizations as o on o.id = $1
cross join lateral scheduling.booked_names(a.id) as n
where a.tenant_id = $1 and a.id = $2
