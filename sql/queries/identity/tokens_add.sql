-- $1 account_id, $2 SHA-256 of the token, $3 email, $4 lifetime in seconds
insert into identity.one_time_tokens (account_id, hash, purpose, email, expires_at)
values ($1, $2, 'verify_email', $3, now() + make_interval(secs => $4))
returning account_id
