-- $1 tenant
--
-- Sent as appointd_worker.
select app.enter_worker($1)
