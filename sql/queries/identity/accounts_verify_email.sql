-- $1 session to keep, $2 SHA-256 of the token; verifies the e-mail address of the signed-in account
--
-- Sent as appointd_door.
select identity.verify_email($1, $2) as verified
