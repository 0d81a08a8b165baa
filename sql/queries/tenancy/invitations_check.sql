-- $1 tenant_id, $2 email, $3 role to give, $4 contact or null
select
    $3 = any (app.roles_up_to(app.role()))
    and ($3 = 'customer' or app.role() = any ('{admin,owner}')) as may_give,
    exists (
        select
        from tenancy.members as m
        join identity.accounts as a on a.id = m.account_id
        where m.tenant_id = $1 and a.email = $2 and (m.role <> 'customer' or $3 = 'customer')
    ) as already_member,
    o.name as organization_name,
    app.may_hand_out() as may_hand_out,
    crm.has_account($4) as contact_has_account,
    o.time_zone
from tenancy.organizations as o
where o.id = $1
