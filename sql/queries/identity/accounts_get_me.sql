-- $1 account_id, $2 organization the session is for, or null
select
    a.id, a.email, a.email_verified_at is not null as email_verified, a.full_name,
    (
        select m.role
        from tenancy.members as m
        where m.account_id = $1 and m.tenant_id = $2 and m.status = 'active'
    ) as role,
    exists (
        select from identity.second_factors as f where f.account_id = $1 and f.confirmed_at is not null
    ) as second_factor
from identity.accounts as a
where a.id = $1
