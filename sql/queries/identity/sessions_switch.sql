-- $1 session, $2 organization, $3 SHA-256 of the next refresh token or null
--
-- Sent as appointd_door.
select moved, expires_at
from identity.move_session($1, $2, $3)
