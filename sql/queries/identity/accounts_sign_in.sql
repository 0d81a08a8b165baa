-- $1 email, lower case, $2 address of the client
--
-- Sent as appointd_door.
select retry_after, account_id, password_hash, totp_secret, totp_last_step, memberships
from identity.sign_in($1, $2)
