-- $1 account_id
select id
from identity.accounts
where id = $1
for no key update
