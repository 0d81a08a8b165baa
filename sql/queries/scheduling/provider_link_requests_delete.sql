-- $1 tenant_id, $2 provider id
delete from scheduling.provider_link_requests
where tenant_id = $1 and provider_id = $2
