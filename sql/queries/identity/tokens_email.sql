-- $1 account, $2 SHA-256 of the token
--
-- Sent as appointd_door.
select identity.token_email($1, $2) as email
