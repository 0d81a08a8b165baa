-- $1 organization, $2 provider id; no row if the signed-in account has no link, or request for one, to the provider
select organization_id, organization_name, provider_id, provider_name, status
from scheduling.my_provider_links()
where organization_id = $1 and provider_id = $2
