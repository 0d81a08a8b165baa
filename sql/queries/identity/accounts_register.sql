-- $1 account id, $2 email, $3 password hash, $4 full name or null, $5 organization id, $6 organization name,
-- $7 organization slug, $8 time zone
--
-- Sent as appointd_door.
select identity.register($1, $2, $3, $4, $5, $6, $7, $8)
