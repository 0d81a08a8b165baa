-- $1 tenant_id, $2 hold id; the content of the verification e-mail
select
    coalesce(b.display_name, o.name) as organization_name, o.time_zone, coalesce(s.name, o.name) as service_name,
    coalesce(p.name, o.name) as provider_name
from scheduling.holds as h
join tenancy.organizations as o on o.id = $1
join tenancy.branding as b on b.tenant_id = $1
left join scheduling.services as s on s.tenant_id = $1 and s.id = h.service_id
left join scheduling.providers as p on p.tenant_id = $1 and p.id = h.provider_id
where h.tenant_id = $1 and h.id = $2
