-- $1 email, $2 SHA-256 of the token, $3 lifetime in seconds
--
-- Sent as appointd_door.
select token_account
from identity.request_password_reset($1, $2, make_interval(secs => $3))
