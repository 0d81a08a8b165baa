-- $1 tenant_id, $2 account id
with gone as (
    delete from tenancy.members
    where tenant_id = $1 and account_id = $2
    returning account_id
),
parted as (
    -- By the parameter and not by what is gone: an index on both columns finds it.
    update crm.contacts
    set account_id = null, updated_at = now()
    where tenant_id = $1 and account_id = $2 and exists (select from gone)
)
select account_id
from gone
