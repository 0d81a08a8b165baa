-- $1 account, $2 session, $3 organization or null, $4 token or cookie, $5 SHA-256 of the secret of the session,
-- $6 SHA-256 of the refresh token or null, $7 lifetime in seconds, $8 user agent, $9 address, $10 hash the password was
-- compared with or null, $11 password hash of today or null, $12 step of the code or null, $13 SHA-256 of the recovery
-- code or null
--
-- Sent as appointd_door.
select outcome
from identity.start_session($1, $2, $3, $4, $5, $6, make_interval(secs => $7), $8, $9, $10, $11, $12, $13)
