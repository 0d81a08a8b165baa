-- $1 account, $2 session, $3 SHA-256 of the refresh token, $4 salt for its successor, $5 SHA-256 of that successor
--
-- Sent as appointd_door.
select outcome, organization_id, salt
from identity.refresh_session($1, $2, $3, $4, $5)
