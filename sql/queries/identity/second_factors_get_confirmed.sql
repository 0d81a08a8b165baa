-- $1 account_id
select secret
from identity.second_factors
where account_id = $1 and confirmed_at is not null
for update
