-- $1 tenant_id, $2 after this id, $3 row limit, $4 ids or null for any
select id, email, role, contact_id, created_at, created_by, sent_at, expires_at
from tenancy.invitations
where tenant_id = $1 and id > $2 and (id = any ($4) or $4 is null) and expires_at > now()
order by id
limit $3
