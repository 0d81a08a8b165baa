-- $1 account_id, $2 after this id, $3 row limit
select id, organization_id, kind, user_agent, host(address) as address, created_at, last_used_at, expires_at
from identity.sessions
where account_id = $1 and id > $2 and expires_at > now()
order by id
limit $3
