-- $1 id, $2 texts found in the DNS; verifies the domain if its challenge is among them
select tenancy.claim_domain($1, $2) as outcome
