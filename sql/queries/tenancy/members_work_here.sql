-- $1 tenant_id, $2 account; whether it is an active member and not a customer
select exists (
    select
    from tenancy.members
    where tenant_id = $1 and account_id = $2 and status = 'active' and role <> 'customer'
) as works_here
