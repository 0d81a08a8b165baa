-- $1 tenant_id, $2 account id, $3 role to give, or null
select
    m.role = any (app.roles_up_to(app.role()))
    and ($3::text is null or $3 = any (app.roles_up_to(app.role()))) as below
from tenancy.members as m
where m.tenant_id = $1 and m.account_id = $2
