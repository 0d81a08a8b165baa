-- $1 organization, $2 invitation, $3 SHA-256 of the token, $4 account that joins, $5 full name or null, $6 password
-- hash if the account is new, or null
--
-- Sent as appointd_door.
select tenancy.accept_invitation($1, $2, $3, $4, $5, $6) as outcome
