-- Demo data only; sent by `appointd dev` as a superuser, since inviting members is not part of the API yet.
-- $1 account id, $2 email, $3 full name, $4 password hash, $5 organization id, $6 role
with account as (
    insert into identity.accounts (id, email, full_name, password_hash)
    values ($1, $2, $3, $4)
    returning id
)
insert into tenancy.members (tenant_id, account_id, role)
select $5, account.id, $6
from account
