-- $1 tenant_id, $2 after this id, $3 row limit
select id, email, role, contact_id, created_at, created_by, sent_at, expires_at
from tenancy.invitations
where tenant_id = $1 and id > $2 and expires_at > now()
order by id
limit $3
