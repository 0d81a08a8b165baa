-- $1 tenant_id, $2 endpoint, $3 id of the event, $4 type; adds a test
--
-- Returns no row for an unknown endpoint.
insert into messaging.webhook_deliveries (endpoint_id, event_id, type)
select w.id, $3, $4
from messaging.webhook_endpoints as w
where w.tenant_id = $1 and w.id = $2
returning id, endpoint_id, event_id, type, state, attempts, next_at, delivered_at, created_at
