-- $1 tenant_id, $2 after this id, $3 how many
select id, domain, challenge, verified_at, created_at
from tenancy.domains
where tenant_id = $1 and id > $2
order by id
limit $3
