-- $1 tenant_id, $2 email; what has expired is no invitation any more
delete from tenancy.invitations
where tenant_id = $1 and email = $2 and expires_at <= now()
