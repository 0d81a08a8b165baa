-- $1 account, $2 session, $3 SHA-256 of the refresh token, $4 SHA-256 of the next
select outcome, organization_id, requests_per_minute
from identity.refresh_session($1, $2, $3, $4)
