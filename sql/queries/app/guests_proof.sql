-- $1 tenant, $2 id of an appointment, hold or waitlist entry
--
-- Sent as appointd_door.
select app.guest_proof($1, $2) as proof
