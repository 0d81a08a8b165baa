-- $1 session to keep, $2 password hash
--
-- Sent as appointd_door.
select identity.change_password($1, $2)
