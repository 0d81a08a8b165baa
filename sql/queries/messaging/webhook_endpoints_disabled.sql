-- $1 tenant_id, $2 id; URL and reason of an endpoint that is disabled
--
-- Sent as appointd_worker.
select url, disabled_reason
from messaging.webhook_endpoints
where tenant_id = $1 and id = $2 and not enabled
