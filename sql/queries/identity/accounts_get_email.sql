-- $1 account_id
select email, email_verified_at is not null as verified
from identity.accounts
where id = $1
for no key update
