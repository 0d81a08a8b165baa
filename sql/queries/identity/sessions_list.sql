-- $1 account_id, $2 after this id, $3 row limit, $4 ids or null for any
select id, organization_id, kind, user_agent, host(address) as address, created_at, last_used_at, expires_at
from identity.sessions
where account_id = $1 and id > $2 and (id = any ($4) or $4 is null) and expires_at > now()
order by id
limit $3
