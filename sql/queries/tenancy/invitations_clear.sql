-- $1 tenant_id, $2 email; deletes expired invitations to it
delete from tenancy.invitations
where tenant_id = $1 and email = $2 and expires_at <= now()
