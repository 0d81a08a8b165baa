-- $1 lane, $2 after this organization or null, $3 row limit; the organizations that have jobs that are ready
--
-- Sent as appointd_worker.
select t.tenant_id
from messaging.tenants_with_jobs($1, $2, $3) as t (tenant_id)
