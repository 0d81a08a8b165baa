-- $1 after this organization or null, $2 row limit; the organizations that have events to publish
--
-- Sent as appointd_worker.
select t.tenant_id
from messaging.tenants_to_publish($1, $2) as t (tenant_id)
