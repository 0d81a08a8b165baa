-- $1 tenant_id, $2 provider id: their claims that are not over, under the account they now have; where one is taken elsewhere, shared_claims_no_overlap fails
insert into scheduling.shared_claims (claim_id, provider_id, account_id, session_id, starts_at, ends_at)
select c.id, p.id, p.account_id, c.session_id, c.starts_at, c.ends_at
from scheduling.providers as p
join scheduling.claims as c on c.tenant_id = $1 and c.resource_id = p.id
where p.tenant_id = $1 and p.id = $2 and p.account_id is not null and c.ends_at > now()
order by c.starts_at
