-- $1 account, $2 SHA-256 of the token, $3 password hash, $4 address of the client
--
-- Sent as appointd_door.
select identity.reset_password($1, $2, $3, $4) as done
