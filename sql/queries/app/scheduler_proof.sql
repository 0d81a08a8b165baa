-- $1 tenant
--
-- Sent as appointd_worker.
select app.scheduler_proof($1) as proof
