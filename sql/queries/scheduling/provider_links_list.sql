-- $1 last provider id of the page before, or the nil UUID, $2 row limit
--
-- The providers that the signed-in account is, or was asked to be.
select organization_id, organization_name, provider_id, provider_name, status
from scheduling.my_provider_links()
where provider_id > $1
order by provider_id
limit $2
