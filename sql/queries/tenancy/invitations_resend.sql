-- $1 tenant_id, $2 id, $3 SHA-256 of the token, $4 lifetime in seconds
with sent as (
    update tenancy.invitations
    set token_hash = $3, sent_at = now(), expires_at = now() + make_interval(secs => $4)
    where tenant_id = $1 and id = $2 and sent_at < now() - interval '1 minute'
    returning id, email, role, contact_id, created_at, created_by, sent_at, expires_at
)
select
    s.id, s.email, s.role, s.contact_id, s.created_at, s.created_by, s.sent_at, s.expires_at,
    o.name as organization_name, o.time_zone
from sent as s
join tenancy.organizations as o on o.id = $1
