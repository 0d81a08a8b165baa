-- $1 organization, $2 provider id; nothing where the signed-in account neither is that provider nor was asked to be
select organization_id, organization_name, provider_id, provider_name, status
from scheduling.my_provider_links()
where organization_id = $1 and provider_id = $2
