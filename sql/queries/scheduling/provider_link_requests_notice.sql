-- $1 tenant_id, $2 provider id: for the e-mail to the member who is asked to be the provider
select
    identity.email_of(r.account_id) as email, p.name as provider_name, o.name as organization_name, o.time_zone
from scheduling.provider_link_requests as r
join scheduling.providers as p on p.tenant_id = $1 and p.id = r.provider_id
join tenancy.organizations as o on o.id = $1
where r.tenant_id = $1 and r.provider_id = $2
