-- $1 organization, $2 invitation, $3 SHA-256 of the token
--
-- Sent as appointd_door.
select email, role, organization_name, account_id
from tenancy.invitation_for($1, $2, $3)
