-- no parameters; the providers that the signed-in account is, or was asked to be
select organization_id, organization_name, provider_id, provider_name, status
from scheduling.my_provider_links()
