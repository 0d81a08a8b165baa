-- $1 tenant_id, $2 id; makes a delivery due, with all its attempts. One that was delivered stays so
--
-- Returns whether its endpoint is enabled, and whether the delivery was changed. No row for an unknown id.
with found as (
    select d.id, w.enabled
    from messaging.webhook_deliveries as d
    join messaging.webhook_endpoints as w on w.tenant_id = $1 and w.id = d.endpoint_id
    where d.tenant_id = $1 and d.id = $2
),
changed as (
    update messaging.webhook_deliveries as d
    set
        state = case d.state when 'delivered' then 'delivered' else 'pending' end, step = 0, next_at = now()
    from found as f
    where d.tenant_id = $1 and d.id = f.id and f.enabled
    returning d.id
)
select f.enabled, c.id is not null as retried
from found as f
left join changed as c on true
