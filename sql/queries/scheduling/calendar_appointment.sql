-- $1 tenant_id, $2 appointment id
select
    o.name as feed_name, a.id, a.starts_at, a.ends_at, a.status, a.sequence, a.created_at, a.updated_at,
    s.name as service_name, p.name as provider_name, null::text as contact_name
from scheduling.appointments as a
join tenancy.organizations as o on o.id = $1
join scheduling.services as s on s.tenant_id = $1 and s.id = a.service_id
join scheduling.providers as p on p.tenant_id = $1 and p.id = a.provider_id
where a.tenant_id = $1 and a.id = $2
