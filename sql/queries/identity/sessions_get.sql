-- $1 account_id, $2 id
select expires_at
from identity.sessions
where account_id = $1 and id = $2
