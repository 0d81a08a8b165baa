-- $1 last provider id of the page before, or the nil UUID, $2 row limit, $3 provider ids or null for any
--
-- The provider links of the signed-in account, and the requests for links.
select organization_id, organization_name, provider_id, provider_name, status
from scheduling.my_provider_links()
where provider_id > $1 and (provider_id = any ($3) or $3 is null)
order by provider_id
limit $2
