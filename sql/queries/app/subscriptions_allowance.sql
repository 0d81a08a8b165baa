-- $1 organization, $2 API key or null, $3 SHA-256 of its secret or null
--
-- Sent as appointd_door.
select tenancy.allowance($1, $2, $3) as requests_per_minute
