-- $1 tenant_id, $2 after this id, $3 row limit, $4 ids and $5 updated at or after, or null for any; an
-- invitation changes when it is sent again
select id, email, role, contact_id, created_at, created_by, sent_at, expires_at
from tenancy.invitations
where tenant_id = $1 and id > $2 and (id = any ($4) or $4 is null) and expires_at > now()
    and (sent_at >= $5 or $5 is null)
order by id
limit $3
