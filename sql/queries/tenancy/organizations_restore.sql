-- $1 organization id
--
-- Sent as appointd_door.
select tenancy.restore_organization($1) as restored
