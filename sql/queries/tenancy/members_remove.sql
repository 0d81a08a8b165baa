-- $1 tenant_id, $2 account id
with gone as (
    delete from tenancy.members
    where tenant_id = $1 and account_id = $2
    returning account_id
),
parted as (
    update crm.contacts
    set account_id = null
    where tenant_id = $1 and account_id in (select account_id from gone)
)
select account_id
from gone
