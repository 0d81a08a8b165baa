-- $1 row limit; the organizations with scheduled jobs that are due, or with jobs whose worker has vanished
--
-- Sent as appointd_worker.
select t.tenant_id
from messaging.tenants_to_wake($1) as t (tenant_id)
