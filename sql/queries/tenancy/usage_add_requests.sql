-- $1 organizations, $2 number of requests of each
--
-- Sent as appointd_door.
select tenancy.add_requests($1, $2)
