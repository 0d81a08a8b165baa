-- $1 tenant_id, $2 id, $3 reason (gone or failing); disables an endpoint, and cancels its deliveries
--
-- Returns its URL; no row if it is disabled already.
--
-- Sent as appointd_worker.
with disabled as (
    update messaging.webhook_endpoints as w
    set enabled = false, disabled_reason = $3, disabled_at = now(), updated_at = now()
    where w.tenant_id = $1 and w.id = $2 and w.enabled
    returning w.id, w.url
),
cancelled as (
    update messaging.webhook_deliveries as d
    set state = case d.state when 'pending' then 'cancelled' else d.state end, next_at = null
    from disabled as w
    where d.tenant_id = $1 and d.endpoint_id = w.id and d.next_at is not null
)
select url
from disabled
