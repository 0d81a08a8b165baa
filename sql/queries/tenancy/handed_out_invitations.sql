-- $1 tenant_id, $2 account; open invitations sent by the account and by its API keys
select id, email, role, contact_id, created_at, created_by, sent_at, expires_at
from tenancy.invitations
where
    tenant_id = $1
    and expires_at > now()
    and (
        created_by = $2
        or created_by in (select k.id from tenancy.api_keys as k where k.tenant_id = $1 and k.created_by = $2)
    )
order by id
limit 100
