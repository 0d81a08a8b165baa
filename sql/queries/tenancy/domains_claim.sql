-- $1 id, $2 the texts that were found in the DNS
select tenancy.claim_domain($1, $2) as outcome
