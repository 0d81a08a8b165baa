-- $1 tenant_id, $2 id
select
    id, email, role, contact_id, created_at, created_by, sent_at, expires_at,
    crm.has_account(contact_id) as contact_has_account
from tenancy.invitations
where tenant_id = $1 and id = $2
