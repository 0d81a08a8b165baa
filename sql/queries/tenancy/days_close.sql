-- no parameters; closes the days of the organization that have ended, and returns how many
--
-- Sent as appointd_worker.
select tenancy.close_days() as closed
