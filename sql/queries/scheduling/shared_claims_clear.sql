-- $1 tenant_id, $2 provider id
delete from scheduling.shared_claims
where tenant_id = $1 and provider_id = $2
