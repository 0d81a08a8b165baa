-- $1 id, $2 email, $3 role, $4 contact or null, $5 SHA-256 of the token, $6 lifetime in seconds
insert into tenancy.invitations (id, email, role, contact_id, token_hash, expires_at)
values ($1, $2, $3, $4, $5, now() + make_interval(secs => $6))
returning id, email, role, contact_id, created_at, created_by, sent_at, expires_at
