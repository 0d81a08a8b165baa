-- $1 account, $2 session, $3 organization or null, $4 token or cookie, $5 SHA-256 of the refresh token or null,
-- $6 lifetime in seconds, $7 user agent, $8 address, $9 hash the password was compared with or null, $10 password hash
-- of today or null, $11 step of the code or null, $12 SHA-256 of the recovery code or null
--
-- Sent as appointd_door.
select outcome
from identity.start_session($1, $2, $3, $4, $5, make_interval(secs => $6), $7, $8, $9, $10, $11, $12)
