-- $1 email, lower case
select account_id, password_hash, tenant_id
from identity.sign_in($1)
